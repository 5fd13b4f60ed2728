//! Deletes an account and its data. The account disappears at once; its rows follow in small batches,
//! because there may be hundreds of thousands.

use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::maintenance::{BatchSize, BatchStep, StepTiming};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Clock, Remains, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// The account no longer exists for any caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDeleted {
    /// `true` if this call deleted the account. If not, it was deleted before or never existed.
    pub began: bool,
    /// Number of deleted rows, not counting the account's own.
    pub rows: u64,
    /// `true` if all rows are deleted. If not, the remaining rows are invisible, and a purge deletes
    /// them.
    pub complete: bool,
    /// Table of another application that references the account's row, if any. The row stays, without
    /// email and password, until a purge finds no more references.
    pub referenced_by: Option<String>,
}

/// Result of deleting an account's rows.
pub(crate) struct Finished {
    pub(crate) rows: u64,
    pub(crate) complete: bool,
    pub(crate) referenced_by: Option<String>,
}

/// Deletes an account and its data.
pub struct DeleteAccount {
    /// Store of accounts and their data.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl DeleteAccount {
    /// Deletes the account: calls [`begin`](Self::begin), then deletes all rows. Calls `rest` after
    /// each step with the progress, as a purge does. If `rest` returns false, the deletion stops; a
    /// later purge deletes the remaining rows. After an error, the next attempt continues.
    pub fn run(
        &self,
        user_id: UserId,
        caller: &Caller,
        rest: &mut dyn FnMut(BatchStep) -> bool,
    ) -> Result<AccountDeleted, DependencyError> {
        let began = self.begin(user_id, caller)?;
        let Finished { rows, complete, referenced_by } = self.finish(user_id, 0, rest)?;
        Ok(AccountDeleted { began, rows, complete, referenced_by })
    }

    /// Returns whether the account is marked as deleted and still has rows, so that [`run`](Self::run)
    /// would continue.
    pub fn has_begun(&self, id: UserId) -> Result<bool, DependencyError> {
        Ok(self.store.read(|tx| tx.users().list_marked_deleted(u32::MAX))?.contains(&id))
    }

    /// Marks the account as deleted: it becomes inactive, which invalidates its sessions, loses its
    /// email and can no longer be found. Its email can be registered again. Returns whether the
    /// account existed.
    ///
    /// Writes few rows, regardless of the account's size: sessions and refresh tokens are not ended
    /// one by one.
    pub fn begin(&self, user_id: UserId, caller: &Caller) -> Result<bool, DependencyError> {
        self.begin_if(user_id, caller, |_| Ok(true))
    }

    /// Like [`begin`](Self::begin), but does nothing unless `holds` returns true in the same
    /// transaction.
    pub(crate) fn begin_if<E: From<StoreError>>(
        &self,
        user_id: UserId,
        caller: &Caller,
        mut holds: impl FnMut(&mut dyn Tx) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let now = self.clock.now();
        let began = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            if !holds(tx)? {
                return Ok(false);
            }
            // These are few rows. Deleting undo tokens also frees an email address that the account
            // had before.
            tx.outbox().delete_for_user(user_id)?;
            tx.one_time_tokens().delete_for_user(user_id)?;
            Ok::<_, E>(tx.users().mark_deleted(user_id, now)?)
        })?;
        if began {
            let client = caller.client.ip_address.map(tracing::field::display);
            tracing::info!(target: LOG, user_id = user_id.get(), client, "Account deleted");
        }
        Ok(began)
    }

    /// Deletes the remaining rows of an account that is marked as deleted. Adds `before` to the
    /// reported row count.
    pub(crate) fn finish(
        &self,
        id: UserId,
        before: u64,
        rest: &mut dyn FnMut(BatchStep) -> bool,
    ) -> Result<Finished, StoreError> {
        let (mut pace, mut rows, mut idle) = (BatchSize::default(), before, false);
        loop {
            let most = pace.rows();
            let (stripped, times) = self.delete_owned_rows(id, most)?;
            rows = rows.saturating_add(stripped);
            pace.record(stripped, times);
            if stripped < u64::from(most) {
                let now = self.clock.now();
                match self.store.write(|tx| tx.users().delete_row_if_empty(id, now))? {
                    Remains::Nothing => return Ok(Finished { rows, complete: true, referenced_by: None }),
                    Remains::Referenced { by } => {
                        return Ok(Finished { rows, complete: true, referenced_by: Some(by) });
                    }
                    Remains::Rows => {}
                }
            }
            // Transactions that were writing for the account have ended by now, so the next step finds
            // their rows.
            if stripped == 0 && idle {
                return Err(StoreError::Busy("rows of an account that is being deleted stay".to_owned()));
            }
            idle = stripped == 0;
            if !rest(BatchStep { rows, took: times.whole() }) {
                return Ok(Finished { rows, complete: false, referenced_by: None });
            }
        }
    }

    /// Measures the deletion from the start of its transaction, because other writers wait from then
    /// on.
    fn delete_owned_rows(&self, id: UserId, most: u32) -> Result<(u64, StepTiming), StoreError> {
        let (rows, begun, deleted) = self.store.write(|tx| {
            let begun = self.clock.monotonic();
            let rows = tx.users().delete_owned_rows(id, most)?;
            Ok::<_, StoreError>((rows, begun, self.clock.monotonic()))
        })?;
        let committed = self.clock.monotonic();
        Ok((
            rows,
            StepTiming { deleting: deleted.saturating_sub(begun), committing: committed.saturating_sub(deleted) },
        ))
    }
}
