//! Deletes expired refresh tokens, old sessions, other expired rows, and the remaining rows of deleted
//! accounts. Works in small batches, so that a running service is hardly slowed down.

use super::batch_size::{BatchSize, BatchStep, StepTiming};
use crate::LOG;
use crate::failure::DependencyError;
use crate::registration::{DeleteAccount, Finished};
use chrono::{DateTime, Utc};
use portcullis_domain::maintenance::Retention;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_ports::{Clock, RowCursor, RowRange, SessionCutoffs, Store, StoreError, StoreExt, Tx};
use std::fmt;
use std::sync::Arc;

/// Rows read per scan.
const SCAN_ROWS: u32 = 1000;
/// Maximum number of deletions that one purge finishes. There are none unless a deletion was
/// interrupted.
const ACCOUNTS: u32 = 1000;

/// Result of a purge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Number of deleted rows.
    pub rows: u64,
    /// `true` if the purge finished without being stopped.
    pub complete: bool,
    /// Deleted accounts whose row stays.
    pub tombstones: Vec<Tombstone>,
}

/// Row of a deleted account that must stay, without email and password, because another application's
/// table references it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The account.
    pub user_id: UserId,
    /// Table that references the row.
    pub referenced_by: String,
}

impl fmt::Display for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.user_id, self.referenced_by)
    }
}

/// Deletes expired rows.
pub struct Purge {
    /// Store of tokens and sessions.
    pub store: Arc<dyn Store>,
    /// Retention periods.
    pub retention: Retention,
    /// Maximum age of sessions.
    pub sessions: SessionPolicy,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Purge {
    /// Scans all rows once. Calls `on_step` after each step with its progress. `on_step` may block, and
    /// returns whether to continue. After an error, deleted rows stay deleted.
    pub fn run(&self, on_step: &mut dyn FnMut(BatchStep) -> bool) -> Result<Purged, DependencyError> {
        let now = self.clock.now();
        let session_cutoff = self.retention.session_cutoff(now);
        let sessions = SessionCutoffs { ended: session_cutoff, started: self.sessions.max_age_cutoff(session_cutoff) };
        let kinds: [&dyn ScannedTable; 2] = [&DeadTokens(self.retention.token_cutoff(now)), &sessions];
        let mut purged = Purged { complete: true, ..Purged::default() };
        for rows in kinds {
            if purged.complete {
                purged = self.purge_scanned(rows, purged.rows, on_step)?;
            }
        }
        for (table, cutoff) in [
            (IndexedTable::OneTimeTokens, session_cutoff),
            (IndexedTable::Mails, session_cutoff),
            (IndexedTable::PendingFactors, self.retention.pending_factor_cutoff(now)),
            (IndexedTable::TrustedDevices, self.retention.token_cutoff(now)),
            (IndexedTable::Challenges, self.retention.token_cutoff(now)),
            (IndexedTable::SignIns, self.retention.token_cutoff(now)),
        ] {
            if purged.complete {
                purged = self.purge_indexed(table, cutoff, purged.rows, on_step)?;
            }
        }
        if purged.complete { self.finish_deletions(purged, on_step) } else { Ok(purged) }
    }

    /// Purges rows that an index returns in order of expiry, so that no scan is needed.
    fn purge_indexed(
        &self,
        table: IndexedTable,
        cutoff: DateTime<Utc>,
        before: u64,
        on_step: &mut dyn FnMut(BatchStep) -> bool,
    ) -> Result<Purged, DependencyError> {
        let (mut batch, mut purged) = (BatchSize::default(), Purged { rows: before, ..Purged::default() });
        loop {
            let max_rows = batch.rows();
            let (rows, timing) = self.timed(|tx| table.purge(tx, cutoff, max_rows))?;
            purged.rows = purged.rows.saturating_add(rows);
            if rows < u64::from(max_rows) {
                return Ok(Purged { complete: true, ..purged });
            }
            batch.record(rows, timing);
            if !on_step(BatchStep { rows: purged.rows, took: timing.whole() }) {
                return Ok(purged);
            }
        }
    }

    /// Finishes deletions that were interrupted, or helps with deletions in progress. An account that
    /// cannot be finished does not block others.
    fn finish_deletions(
        &self,
        mut purged: Purged,
        on_step: &mut dyn FnMut(BatchStep) -> bool,
    ) -> Result<Purged, DependencyError> {
        let deletion = DeleteAccount { store: self.store.clone(), clock: self.clock.clone() };
        let mut failure = None;
        for user_id in self.store.read(|tx| tx.users().list_marked_deleted(ACCOUNTS))? {
            if !purged.complete {
                break;
            }
            match deletion.finish(user_id, purged.rows, on_step) {
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
        on_step: &mut dyn FnMut(BatchStep) -> bool,
    ) -> Result<Purged, DependencyError> {
        let (mut after, mut batch) = (RowCursor::FIRST, BatchSize::default());
        let mut purged = Purged { rows: before, ..Purged::default() };
        loop {
            let start = self.clock.monotonic();
            let range = self.store.read(|tx| kind.scan(tx, after))?;
            let mut took = self.clock.monotonic().saturating_sub(start);
            let Some(range) = range else { return Ok(Purged { complete: true, ..purged }) };
            let mut more = range.dead > 0;
            loop {
                if !on_step(BatchStep { rows: purged.rows, took }) {
                    return Ok(purged);
                }
                if !more {
                    break;
                }
                let max_rows = batch.rows();
                let (rows, timing) = self.timed(|tx| kind.purge(tx, &range, max_rows))?;
                purged.rows = purged.rows.saturating_add(rows);
                more = rows >= u64::from(max_rows);
                batch.record(rows, timing);
                took = timing.whole();
            }
            after = range.last;
        }
    }

    /// Measures a step from the start of its transaction, because other writers wait from then on.
    fn timed(&self, work: impl Fn(&mut dyn Tx) -> Result<u64, StoreError>) -> Result<(u64, StepTiming), StoreError> {
        let (rows, begun, deleted) = self.store.write(|tx| {
            let begun = self.clock.monotonic();
            let rows = work(tx)?;
            Ok::<_, StoreError>((rows, begun, self.clock.monotonic()))
        })?;
        let committed = self.clock.monotonic();
        let timing =
            StepTiming { deleting: deleted.saturating_sub(begun), committing: committed.saturating_sub(deleted) };
        Ok((rows, timing))
    }
}

/// Table with an index on the expiry time.
#[derive(Clone, Copy)]
enum IndexedTable {
    /// Expired one-time tokens.
    OneTimeTokens,
    /// Dead emails.
    Mails,
    /// Second factors that were not confirmed in time.
    PendingFactors,
    /// Expired trusted devices.
    TrustedDevices,
    /// Expired challenges of passkeys that were used.
    Challenges,
    /// Expired sign-ins with providers. Three tables with an index each.
    SignIns,
}

impl IndexedTable {
    fn purge(self, tx: &mut dyn Tx, cutoff: DateTime<Utc>, max_rows: u32) -> Result<u64, StoreError> {
        match self {
            Self::OneTimeTokens => tx.one_time_tokens().purge(cutoff, max_rows),
            Self::Mails => tx.outbox().purge(cutoff, max_rows),
            Self::PendingFactors => tx.factors().purge_pending(cutoff, max_rows),
            Self::TrustedDevices => tx.factors().purge_devices(cutoff, max_rows),
            Self::Challenges => tx.passkeys().purge_challenges(cutoff, max_rows),
            Self::SignIns => tx.sign_ins().purge_sign_ins(cutoff, max_rows),
        }
    }
}

/// A table that is scanned for expired rows.
trait ScannedTable {
    fn scan(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError>;
    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, max_rows: u32) -> Result<u64, StoreError>;
}

/// Refresh tokens that expired at this time or before.
struct DeadTokens(DateTime<Utc>);

impl ScannedTable for DeadTokens {
    fn scan(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError> {
        tx.refresh_tokens().scan(after, SCAN_ROWS, self.0)
    }

    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, max_rows: u32) -> Result<u64, StoreError> {
        tx.refresh_tokens().purge(range, max_rows)
    }
}

impl ScannedTable for SessionCutoffs {
    fn scan(&self, tx: &mut dyn Tx, after: RowCursor) -> Result<Option<RowRange>, StoreError> {
        tx.sessions().scan(after, SCAN_ROWS, self)
    }

    fn purge(&self, tx: &mut dyn Tx, range: &RowRange, max_rows: u32) -> Result<u64, StoreError> {
        tx.sessions().purge(range, self, max_rows)
    }
}
