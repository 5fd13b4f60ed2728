//! Deletes the rows of refresh tokens that can no longer be shown, a few at a time: a service
//! that runs beside it hardly notices.

use crate::failure::{Failure, fails_with};
use portcullis_domain::maintenance::Retention;
use portcullis_ports::{Clock, RowNumber, Store, StoreError, StoreExt, Stretch};
use std::sync::Arc;
use std::time::Duration;

/// Rows that one reading step looks at.
const LOOK: u32 = 1000;
/// Rows that a writing step may delete at first, at least and at most.
const FIRST: u32 = 64;
const FEWEST: u32 = 8;
const MOST: u32 = 1000;
/// How long a writing step should take: whoever writes beside it waits as long.
const AIM: Duration = Duration::from_millis(4);

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows that were deleted.
    pub rows: u64,
    /// Whether every row was looked at, and nobody stopped it before.
    pub complete: bool,
}

/// Where a purge stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Rows that were deleted so far.
    pub rows: u64,
    /// How long the step took.
    pub took: Duration,
}

/// Why a purge did not reach its end. What it deleted stays deleted.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// A dependency failed.
    #[error(transparent)]
    Failed(Failure),
}

fails_with!(PurgeError: StoreError);

/// The verb.
pub struct Purge {
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// How long they are.
    pub retention: Retention,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Purge {
    /// Goes through all rows once. Between two steps `rest` is told what the last one did; it may
    /// take its time, and says whether to go on.
    ///
    /// # Errors
    /// [`PurgeError`].
    pub fn run(&self, rest: &mut dyn FnMut(Step) -> bool) -> Result<Purged, PurgeError> {
        let dead_by = self.retention.dead_by(self.clock.now());
        let (mut purged, mut after, mut most) = (Purged::default(), RowNumber::FIRST, FIRST);
        loop {
            let (stretch, mut took) =
                self.timed(|store| store.read(|tx| tx.refresh_tokens().survey(after, LOOK, dead_by)))?;
            let Some(stretch) = stretch else { return Ok(Purged { complete: true, ..purged }) };
            let mut dead = stretch.dead;
            loop {
                if !rest(Step { rows: purged.rows, took }) {
                    return Ok(purged);
                }
                if dead == 0 {
                    break;
                }
                let (rows, time) = self.timed(|store| delete(store, &stretch, most))?;
                purged.rows = purged.rows.saturating_add(rows);
                // None are left where somebody else deletes them too.
                dead = if rows < u64::from(most) { 0 } else { dead.saturating_sub(rows) };
                (most, took) = (next(most, time), time);
            }
            after = stretch.last;
        }
    }

    fn timed<T>(&self, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<(T, Duration), StoreError> {
        let start = self.clock.monotonic();
        let outcome = call(&*self.store)?;
        Ok((outcome, self.clock.monotonic().saturating_sub(start)))
    }
}

fn delete(store: &dyn Store, stretch: &Stretch, most: u32) -> Result<u64, StoreError> {
    store.write(|tx| tx.refresh_tokens().purge(stretch, most))
}

/// As many rows as are deleted in the time that is aimed at, found by doubling and halving.
fn next(rows: u32, took: Duration) -> u32 {
    if took > AIM {
        (rows / 2).max(FEWEST)
    } else if took < AIM / 2 {
        rows.saturating_mul(2).min(MOST)
    } else {
        rows
    }
}
