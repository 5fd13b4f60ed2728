//! Deletes an account with all that belongs to it: at once for everybody who asks for it, and then
//! a few rows at a time, for there may be hundreds of thousands.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::maintenance::{BatchSize, PurgeStep, StepTiming};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{Clock, Remains, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Which account is to go.
#[derive(Debug)]
pub struct AccountDeletion {
    /// The account.
    pub user_id: UserId,
    /// From where.
    pub client: ClientInfo,
}

/// The account is gone for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDeleted {
    /// Whether it was there until now. Where not, it may never have been.
    pub began: bool,
    /// Rows that were deleted besides its own.
    pub rows: u64,
    /// Whether nothing that belongs to it is left. If not, nobody sees what is, and a purge finishes.
    pub complete: bool,
    /// The table of another program that refers to the account's own row, if one does. That row
    /// stays, without email and password, until a purge finds that no table refers to it.
    pub referenced_by: Option<String>,
}

/// What was done for an account that is being deleted.
pub(crate) struct Finished {
    pub(crate) rows: u64,
    pub(crate) complete: bool,
    pub(crate) referenced_by: Option<String>,
}

/// Why an account is still there, or something is left of it. The next try goes on.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(DeleteError: StoreError);

impl DeleteError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        let Self::Failed(failure) = self;
        failure.code()
    }
}

/// The verb.
pub struct DeleteAccount {
    /// Where accounts, and what belongs to them, are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl DeleteAccount {
    /// Deletes the account: [`issue_first`](Self::issue_first), then all rows. Between two steps `rest` is
    /// told what the last one did, as by a purge; once it says no, the rest is left to a purge.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn run(
        &self,
        input: &AccountDeletion,
        rest: &mut dyn FnMut(PurgeStep) -> bool,
    ) -> Result<AccountDeleted, DeleteError> {
        let began = self.begin(input)?;
        let Finished { rows, complete, referenced_by } = self.finish(input.user_id, 0, rest)?;
        Ok(AccountDeleted { began, rows, complete, referenced_by })
    }

    /// Returns whether the account is being deleted, and [`run`](Self::run) would go on with it.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn has_begun(&self, id: UserId) -> Result<bool, DeleteError> {
        Ok(self.store.read(|tx| tx.users().list_marked_deleted(u32::MAX))?.contains(&id))
    }

    /// The account is gone for everybody: inactive, so that none of its sessions is worth anything,
    /// nameless, and found by nobody; its address may be registered anew. Whether it was there.
    ///
    /// Few rows are written, whatever the account has: sessions and refresh tokens are not ended one
    /// by one.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn begin(&self, input: &AccountDeletion) -> Result<bool, DeleteError> {
        self.begin_if(input, |_| Ok(true))
    }

    /// The same, if that still holds in the transaction that does it.
    pub(crate) fn begin_if(
        &self,
        input: &AccountDeletion,
        mut holds: impl FnMut(&mut dyn Tx) -> Result<bool, StoreError>,
    ) -> Result<bool, DeleteError> {
        let (user_id, now) = (input.user_id, self.clock.now());
        let began = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            if !holds(tx)? {
                return Ok::<_, StoreError>(false);
            }
            // Of these there are few. An address that the account had before is free as well.
            tx.outbox().delete_for_user(user_id)?;
            tx.one_time_tokens().delete_for_user(user_id)?;
            tx.users().mark_deleted(user_id, now)
        })?;
        if began {
            let client = input.client.ip_address.map(tracing::field::display);
            tracing::info!(target: LOG, user_id = user_id.get(), client, "Account deleted");
        }
        Ok(began)
    }

    /// Deletes what is left of an account that is being deleted. Counts the rows on from `before`.
    pub(crate) fn finish(
        &self,
        id: UserId,
        before: u64,
        rest: &mut dyn FnMut(PurgeStep) -> bool,
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
            // Whoever was writing for it has ended by now, so that the next step finds their rows.
            if stripped == 0 && idle {
                return Err(StoreError::Busy("rows of an account that is being deleted stay".to_owned()));
            }
            idle = stripped == 0;
            if !rest(PurgeStep { rows, took: times.whole() }) {
                return Ok(Finished { rows, complete: false, referenced_by: None });
            }
        }
    }

    /// Others wait from where the transaction has begun, and so it is timed from there.
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
