//! Deletes the rows of refresh tokens that can no longer be shown, a few at a time: a service
//! that runs beside it hardly notices.

use super::pace::{Pace, Times};
use crate::failure::{Failure, fails_with};
use portcullis_domain::maintenance::Retention;
use portcullis_ports::{Clock, RowNumber, Store, StoreError, StoreExt, Stretch};
use std::sync::Arc;
use std::time::Duration;

/// Rows that one reading step looks at.
const LOOK: u32 = 1000;

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
    /// How long the step took; of one that wrote, without its wait for whoever wrote before it.
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
        let (mut purged, mut after, mut pace) = (Purged::default(), RowNumber::FIRST, Pace::default());
        loop {
            let start = self.clock.monotonic();
            let stretch = self.store.read(|tx| tx.refresh_tokens().survey(after, LOOK, dead_by))?;
            let mut took = self.clock.monotonic().saturating_sub(start);
            let Some(stretch) = stretch else { return Ok(Purged { complete: true, ..purged }) };
            let mut dead = stretch.dead;
            loop {
                if !rest(Step { rows: purged.rows, took }) {
                    return Ok(purged);
                }
                if dead == 0 {
                    break;
                }
                let most = pace.rows();
                let (rows, times) = self.delete(&stretch, most)?;
                purged.rows = purged.rows.saturating_add(rows);
                // None are left where somebody else deletes them too.
                dead = if rows < u64::from(most) { 0 } else { dead.saturating_sub(rows) };
                pace.learn(rows, times);
                took = times.whole();
            }
            after = stretch.last;
        }
    }

    /// Others wait from where the transaction has begun, and so it is timed from there.
    fn delete(&self, stretch: &Stretch, most: u32) -> Result<(u64, Times), StoreError> {
        let (rows, begun, deleted) = self.store.write(|tx| {
            let begun = self.clock.monotonic();
            let rows = tx.refresh_tokens().purge(stretch, most)?;
            Ok::<_, StoreError>((rows, begun, self.clock.monotonic()))
        })?;
        let committed = self.clock.monotonic();
        let times = Times { deleting: deleted.saturating_sub(begun), committing: committed.saturating_sub(deleted) };
        Ok((rows, times))
    }
}
