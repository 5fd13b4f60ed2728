//! Group commit: one writer at a time, many jobs in one commit. The connection passes from caller to
//! caller with its transaction open. Each adds its work, and a caller with no one waiting behind it
//! commits for all. No caller waits for others to join, and none gets a result before the commit that
//! contains its work.
//!
//! On a disk error, SQLite may roll back a whole transaction by itself. Then no commit is tried, and all
//! callers whose work it contained get the error.

use super::connection::{Role, WriteConnection};
use super::fair_mutex::FairMutexGuard;
use super::group_commit::CommitGroup;
use super::{SqliteStore, begin, connection};
use crate::transaction;
use diesel::SqliteConnection;
use portcullis_ports::{StoreError, TxMode, TxOutcome};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Work in a transaction that also contains other callers' work.
pub(super) type WriteJob<'a> = dyn FnMut(&mut SqliteConnection) -> Result<TxOutcome, StoreError> + 'a;

/// State that passes from caller to caller.
#[derive(Default)]
pub(super) enum Writer {
    /// No connection is open.
    #[default]
    Closed,
    /// Connection without an open transaction.
    Idle(WriteConnection),
    /// Transaction that contains callers' work.
    Open(OpenTransaction),
}

/// Open transaction, and the callers whose work it contains.
pub(super) struct OpenTransaction {
    /// Must be dropped, which rolls back, before the group notifies its members: field order matters.
    connection: WriteConnection,
    group: CommitGroup,
}

/// Outcome of adding a job to a transaction.
enum JoinOutcome {
    /// The job is in the transaction. Or it was rolled back but may have read uncommitted rows of
    /// others, so it depends on the same commit.
    Joined,
    /// The job was rolled back, and its result does not depend on the other callers.
    Undone(Result<(), StoreError>),
    /// The whole transaction was rolled back or cannot be trusted.
    Lost(StoreError),
}

impl SqliteStore {
    /// Runs the job in a transaction that others may share. Returns `Ok` once it is committed.
    pub(super) fn write_grouped(&self, share: &mut WriteJob<'_>) -> Result<(), StoreError> {
        let mut panic = None;
        // A panic affects only its own caller, as a failure does, and not the others in the group.
        let outcome = self.join_transaction(&mut |connection| {
            catch_unwind(AssertUnwindSafe(|| share(connection))).unwrap_or_else(|payload| {
                panic = Some(payload);
                Err(StoreError::Failed("the work panicked".to_owned()))
            })
        });
        panic.map_or(outcome, |payload| resume_unwind(payload))
    }

    fn join_transaction(&self, share: &mut WriteJob<'_>) -> Result<(), StoreError> {
        let start = self.clock.monotonic();
        let mut turn = self.turn(self.wait)?;
        let mut shared = self.current_or_begin(&mut turn, start)?;
        match shared.add(share) {
            JoinOutcome::Joined => self.join(turn, shared),
            JoinOutcome::Undone(outcome) => {
                self.leave(turn, shared);
                outcome
            }
            JoinOutcome::Lost(error) => {
                // Closed before the next transaction begins, because it may hold SQLite's lock.
                drop(shared.connection);
                drop(turn);
                if transaction::is_connection_lost(&error) {
                    shared.group.complete(&Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Runs a call with the write connection, once it is free and in no transaction. The rest of `wait`
    /// is the timeout for locks of other processes.
    pub(super) fn with_writer<T>(
        &self,
        wait: Duration,
        call: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let start = self.clock.monotonic();
        let mut turn = self.turn(wait)?;
        match mem::take(&mut *turn) {
            Writer::Open(shared) => {
                let (group, outcome) = self.commit(&mut turn, shared);
                group.complete(&outcome);
            }
            other => *turn = other,
        }
        let mut connection = self.connection(&mut turn, wait, start)?;
        let outcome = call(&mut connection.inner);
        self.keep(&mut turn, connection, &outcome);
        // A commit does not count if the file can no longer be opened by its path.
        outcome.and_then(|value| self.file.check().map(|()| value))
    }

    fn turn(&self, wait: Duration) -> Result<FairMutexGuard<'_, Writer>, StoreError> {
        let busy = || StoreError::Busy(format!("the writer was not free within {wait:?}"));
        self.writer.acquire(wait).ok_or_else(busy)
    }

    /// Returns the connection, opened if necessary, if the path still leads to the same file.
    fn connection(
        &self,
        turn: &mut FairMutexGuard<'_, Writer>,
        wait: Duration,
        start: Duration,
    ) -> Result<WriteConnection, StoreError> {
        self.file.check()?;
        let mut connection = match mem::take(&mut **turn) {
            Writer::Idle(connection) => connection,
            Writer::Closed | Writer::Open(_) => {
                let opened = self.opener.open(Role::Writer).map_err(unwritable)?;
                WriteConnection::new(opened, self.wait)
            }
        };
        connection.wait_at_most(wait.saturating_sub(self.clock.monotonic().saturating_sub(start)))?;
        Ok(connection)
    }

    /// Keeps a healthy connection for the next caller, closes any other. Returns whether it was kept.
    fn keep<T>(
        &self,
        turn: &mut FairMutexGuard<'_, Writer>,
        mut connection: WriteConnection,
        outcome: &Result<T, StoreError>,
    ) -> bool {
        let healthy = transaction::is_healthy(&mut connection.inner, outcome);
        if healthy {
            **turn = Writer::Idle(connection);
        }
        healthy
    }

    /// Returns the open transaction, or begins one.
    fn current_or_begin(
        &self,
        turn: &mut FairMutexGuard<'_, Writer>,
        start: Duration,
    ) -> Result<OpenTransaction, StoreError> {
        match mem::take(&mut **turn) {
            Writer::Open(shared) => return Ok(shared),
            other => **turn = other,
        }
        let mut connection = self.connection(turn, self.wait, start)?;
        if self.checkpointer.should_restart()
            && let Err(error) = connection::checkpoint_passive(&mut connection.inner)
        {
            tracing::debug!(target: "app", %error, "The rest of the write-ahead log was not copied");
        }
        let begun = begin(&mut connection.inner);
        if let Err(error) = begun {
            self.keep(turn, connection, &Err::<(), _>(error.clone()));
            return Err(error);
        }
        Ok(OpenTransaction { connection, group: CommitGroup::new(self.clock.monotonic()) })
    }

    /// Passes the transaction to the next caller, or commits it if there is none. Returns its outcome.
    fn join(&self, turn: FairMutexGuard<'_, Writer>, mut shared: OpenTransaction) -> Result<(), StoreError> {
        let member = shared.group.join();
        match self.hand_over(turn, shared) {
            None => member.outcome(self.wait),
            Some((turn, shared)) => self.finish(turn, shared),
        }
    }

    /// Leaves a transaction without work of this caller: passes it on or commits it for the others.
    fn leave(&self, mut turn: FairMutexGuard<'_, Writer>, shared: OpenTransaction) {
        if shared.group.is_empty() {
            self.keep(&mut turn, shared.connection, &Ok(()));
        } else if let Some((turn, shared)) = self.hand_over(turn, shared) {
            // The members of the group get the outcome.
            let _ = self.finish(turn, shared);
        }
    }

    /// Passes the transaction to the next caller. Returns it if no one waits or the group is full.
    fn hand_over<'t>(
        &self,
        mut turn: FairMutexGuard<'t, Writer>,
        shared: OpenTransaction,
    ) -> Option<(FairMutexGuard<'t, Writer>, OpenTransaction)> {
        if shared.group.is_full(self.clock.monotonic()) {
            return Some((turn, shared));
        }
        *turn = Writer::Open(shared);
        let mut turn = turn.hand_on()?;
        match mem::take(&mut *turn) {
            Writer::Open(shared) => Some((turn, shared)),
            // Unreachable: the state was set above.
            Writer::Closed | Writer::Idle(_) => None,
        }
    }

    /// Commits, passes the connection on, and notifies the group.
    fn finish(&self, mut turn: FairMutexGuard<'_, Writer>, shared: OpenTransaction) -> Result<(), StoreError> {
        let (group, outcome) = self.commit(&mut turn, shared);
        drop(turn);
        group.complete(&outcome);
        outcome
    }

    /// Commits. Returns the group to notify, and the outcome.
    fn commit(
        &self,
        turn: &mut FairMutexGuard<'_, Writer>,
        shared: OpenTransaction,
    ) -> (CommitGroup, Result<(), StoreError>) {
        let OpenTransaction { mut connection, group } = shared;
        let committed = transaction::commit(&mut connection.inner, TxMode::Write);
        self.checkpointer.committed(self.clock.monotonic().saturating_sub(group.begun()));
        if !self.keep(turn, connection, &committed) && committed.is_ok() {
            return (group, Err(StoreError::Unavailable("the transaction did not end".to_owned())));
        }
        // A commit does not count if the file can no longer be opened by its path.
        (group, committed.and_then(|()| self.file.check()))
    }
}

impl OpenTransaction {
    /// Adds a job, in a savepoint if the transaction contains other callers' work.
    fn add(&mut self, share: &mut WriteJob<'_>) -> JoinOutcome {
        let connection = &mut self.connection.inner;
        let first = self.group.is_empty();
        if !first && let Err(error) = transaction::begin_savepoint(connection) {
            return JoinOutcome::Lost(error);
        }
        match share(connection) {
            Ok(TxOutcome::Commit) if first => JoinOutcome::Joined,
            Ok(TxOutcome::Commit) => {
                transaction::commit(connection, TxMode::Write).map_or_else(JoinOutcome::Lost, |()| JoinOutcome::Joined)
            }
            Err(error) if transaction::is_connection_lost(&error) => JoinOutcome::Lost(error),
            undone => match transaction::rollback(connection, TxMode::Write) {
                // The savepoint no longer exists if SQLite rolled back the transaction by itself.
                Err(error) if !first => JoinOutcome::Lost(undone.err().unwrap_or(error)),
                Ok(()) if !first && undone.is_ok() => JoinOutcome::Joined,
                _ => JoinOutcome::Undone(undone.map(drop)),
            },
        }
    }
}

/// A file that cannot be opened for writing may still be readable.
fn unwritable(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) => StoreError::Unwritable(reason),
        other => other,
    }
}
