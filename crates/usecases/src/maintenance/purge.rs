//! Deletes the rows of refresh tokens that can no longer be shown, sessions that are no longer kept,
//! and what a deletion left of an account, a few at a time: a service that runs beside it hardly
//! notices.

use super::batch_size::{BatchSize, StepTiming};
use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::registration::{DeleteAccount, Finished};
use chrono::{DateTime, Utc};
use portcullis_domain::maintenance::Retention;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_ports::{Clock, RowCursor, RowRange, SessionCutoffs, Store, StoreError, StoreExt, Tx};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Rows that one reading step looks at.
const SCAN_ROWS: u32 = 1000;
/// Accounts that one purge finishes to delete. There are none, but where a deletion broke off.
const ACCOUNTS: u32 = 1000;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows that were deleted.
    pub rows: u64,
    /// Whether every row was looked at, and nobody stopped it before.
    pub complete: bool,
    /// Deleted accounts whose row stays.
    pub tombstones: Vec<Tombstone>,
}

/// The row of a deleted account, without email and password, that a table of another program refers
/// to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The account.
    pub user_id: UserId,
    /// That table.
    pub referenced_by: String,
}

impl fmt::Display for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.user_id, self.referenced_by)
    }
}

/// Where a purge stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeStep {
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
    Failed(DependencyError),
}

from_dependency_errors!(PurgeError: StoreError);

/// The verb.
pub struct Purge {
    /// Where tokens and sessions are kept.
    pub store: Arc<dyn Store>,
    /// How long they are.
    pub retention: Retention,
    /// How old a session may get.
    pub sessions: SessionPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Purge {
    /// Goes through all rows once. Between two steps `rest` is told what the last one did; it may
    /// take its time, and says whether to go on.
    ///
    /// # Errors
    /// [`PurgeError`].
    pub fn run(&self, rest: &mut dyn FnMut(PurgeStep) -> bool) -> Result<Purged, PurgeError> {
        let now = self.clock.now();
        let ended_by = self.retention.session_cutoff(now);
        let sessions = SessionCutoffs { ended: ended_by, started: self.sessions.max_age_cutoff(ended_by) };
        let kinds: [&dyn ScannedTable; 2] = [&DeadTokens(self.retention.token_cutoff(now)), &sessions];
        let mut purged = Purged { complete: true, ..Purged::default() };
        for rows in kinds {
            if purged.complete {
                purged = self.purge_scanned(rows, purged.rows, rest)?;
            }
        }
        for heap in [IndexedTable::Grants, IndexedTable::Mails] {
            if purged.complete {
                purged = self.purge_indexed(heap, ended_by, purged.rows, rest)?;
            }
        }
        if purged.complete { self.finish_deletions(purged, rest) } else { Ok(purged) }
    }

    /// What an index finds in the order in which it died: nothing has to be looked for.
    fn purge_indexed(
        &self,
        heap: IndexedTable,
        dead_by: DateTime<Utc>,
        before: u64,
        rest: &mut dyn FnMut(PurgeStep) -> bool,
    ) -> Result<Purged, PurgeError> {
        let (mut pace, mut purged) = (BatchSize::default(), Purged { rows: before, ..Purged::default() });
        loop {
            let most = pace.rows();
            let (rows, times) = self.timed(|tx| heap.purge(tx, dead_by, most))?;
            purged.rows = purged.rows.saturating_add(rows);
            if rows < u64::from(most) {
                return Ok(Purged { complete: true, ..purged });
            }
            pace.record(rows, times);
            if !rest(PurgeStep { rows: purged.rows, took: times.whole() }) {
                return Ok(purged);
            }
        }
    }

    /// Accounts that are being deleted: by somebody just now, with whom this shares the work, or
    /// by nobody any more.
    /// One that cannot be finished holds up no other.
    fn finish_deletions(
        &self,
        mut purged: Purged,
        rest: &mut dyn FnMut(PurgeStep) -> bool,
    ) -> Result<Purged, PurgeError> {
        let verb = DeleteAccount { store: self.store.clone(), clock: self.clock.clone() };
        let mut failure = None;
        for user_id in self.store.read(|tx| tx.users().list_marked_deleted(ACCOUNTS))? {
            if !purged.complete {
                break;
            }
            match verb.finish(user_id, purged.rows, rest) {
                Ok(Finished { rows, complete, referenced_by }) => {
                    (purged.rows, purged.complete) = (rows, complete);
                    let tombstone = |referenced_by| Tombstone { user_id, referenced_by };
                    purged.tombstones.extend(referenced_by.map(tombstone));
                }
                Err(outage) if outage.is_outage() => return Err(outage.into()),
                Err(error) => {
                    tracing::error!(target: LOG, user_id = user_id.get(), %error, "Rows of a deleted account are left");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(purged), |error| Err(error.into()))
    }

    fn purge_scanned(
        &self,
        kind: &dyn ScannedTable,
        before: u64,
        rest: &mut dyn FnMut(PurgeStep) -> bool,
    ) -> Result<Purged, PurgeError> {
        let (mut after, mut pace) = (RowCursor::FIRST, BatchSize::default());
        let mut purged = Purged { rows: before, ..Purged::default() };
        loop {
            let start = self.clock.monotonic();
            let range = self.store.read(|tx| kind.survey(tx, after))?;
            let mut took = self.clock.monotonic().saturating_sub(start);
            let Some(range) = range else { return Ok(Purged { complete: true, ..purged }) };
            let mut more = range.dead > 0;
            loop {
                if !rest(PurgeStep { rows: purged.rows, took }) {
                    return Ok(purged);
                }
                if !more {
                    break;
                }
                let most = pace.rows();
                let (rows, times) = self.timed(|tx| kind.purge(tx, &range, most))?;
                purged.rows = purged.rows.saturating_add(rows);
                more = rows >= u64::from(most);
                pace.record(rows, times);
                took = times.whole();
            }
            after = range.last;
        }
    }

    /// Others wait from where the transaction has begun, and so it is timed from there.
    fn timed(&self, work: impl Fn(&mut dyn Tx) -> Result<u64, StoreError>) -> Result<(u64, StepTiming), StoreError> {
        let (rows, begun, deleted) = self.store.write(|tx| {
            let begun = self.clock.monotonic();
            let rows = work(tx)?;
            Ok::<_, StoreError>((rows, begun, self.clock.monotonic()))
        })?;
        let committed = self.clock.monotonic();
        let times =
            StepTiming { deleting: deleted.saturating_sub(begun), committing: committed.saturating_sub(deleted) };
        Ok((rows, times))
    }
}

/// Rows that are not gone through.
#[derive(Clone, Copy)]
enum IndexedTable {
    /// One-time tokens past their time.
    Grants,
    /// Mails that were given up.
    Mails,
}

impl IndexedTable {
    fn purge(self, tx: &mut dyn Tx, dead_by: DateTime<Utc>, most: u32) -> Result<u64, StoreError> {
        match self {
            Self::Grants => tx.one_time_tokens().purge(dead_by, most),
            Self::Mails => tx.outbox().purge(dead_by, most),
        }
    }
}

/// A kind of rows, and which of them are dead.
trait ScannedTable {
    fn survey(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError>;
    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, most: u32) -> Result<u64, StoreError>;
}

/// Tokens that expired at a moment or before.
struct DeadTokens(DateTime<Utc>);

impl ScannedTable for DeadTokens {
    fn survey(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError> {
        tx.refresh_tokens().scan(after, SCAN_ROWS, self.0)
    }

    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, most: u32) -> Result<u64, StoreError> {
        tx.refresh_tokens().purge(range, most)
    }
}

impl ScannedTable for SessionCutoffs {
    fn survey(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError> {
        tx.sessions().scan(after, SCAN_ROWS, self)
    }

    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, most: u32) -> Result<u64, StoreError> {
        tx.sessions().purge(range, self, most)
    }
}
