//! Writing: one at a time, and many in one commit. The connection goes from caller to caller with
//! its transaction open, each adds its work, and whoever finds nobody waiting commits for all.
//! Nobody waits for company, and nobody is answered before the commit that holds its work.
//!
//! Where the disk fails, SQLite may undo a whole transaction by itself. No commit is tried then:
//! all whose work it held are told the error.

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

/// Work in a transaction that holds others' work too.
pub(super) type WriteJob<'a> = dyn FnMut(&mut SqliteConnection) -> Result<TxOutcome, StoreError> + 'a;

/// What is handed from caller to caller.
#[derive(Default)]
pub(super) enum Writer {
    /// There is no connection.
    #[default]
    Closed,
    /// A connection in no transaction.
    Idle(WriteConnection),
    /// A transaction that holds somebody's work.
    Open(OpenTransaction),
}

/// A transaction under way, and whose work it holds.
pub(super) struct OpenTransaction {
    /// Closed, and so undone, before those whose work it held are told: the order matters.
    connection: WriteConnection,
    group: CommitGroup,
}

/// What became of a share.
enum JoinOutcome {
    /// It is in the transaction; or it is undone, but has seen what is not committed yet.
    Joined,
    /// It is undone, and what it was told holds whatever becomes of the others.
    Undone(Result<(), StoreError>),
    /// The whole transaction is undone, or not to be trusted.
    Lost(StoreError),
}

impl SqliteStore {
    /// Does the work in a transaction that others may share. `Ok` once that is committed.
    pub(super) fn write_grouped(&self, share: &mut WriteJob<'_>) -> Result<(), StoreError> {
        let mut panic = None;
        // A panic costs whoever caused it, as a failure would, and not those whose work is done.
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
                // Closed before the next begins: it may hold SQLite's lock.
                drop(shared.connection);
                drop(turn);
                if transaction::is_connection_lost(&error) {
                    shared.group.complete(&Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Calls with the writing connection, once it is free, in no transaction, and with what is
    /// then left of the wait for other processes.
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
        // A commit into a file that nobody can open again is none.
        outcome.and_then(|value| self.file.check().map(|()| value))
    }

    fn turn(&self, wait: Duration) -> Result<FairMutexGuard<'_, Writer>, StoreError> {
        let busy = || StoreError::Busy(format!("the writer was not free within {wait:?}"));
        self.writer.acquire(wait).ok_or_else(busy)
    }

    /// The connection, opened where there is none, to the file that is still in its place.
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

    /// Keeps the connection for the next, if it is in order; whether it is. Else it is closed.
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

    /// The transaction that is under way, or a new one.
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

    /// Hands the transaction on to whoever waits, or commits it; its outcome.
    fn join(&self, turn: FairMutexGuard<'_, Writer>, mut shared: OpenTransaction) -> Result<(), StoreError> {
        let member = shared.group.join();
        match self.hand_over(turn, shared) {
            None => member.outcome(self.wait),
            Some((turn, shared)) => self.finish(turn, shared),
        }
    }

    /// Leaves a transaction that holds nothing of the caller's, in good hands.
    fn leave(&self, mut turn: FairMutexGuard<'_, Writer>, shared: OpenTransaction) {
        if shared.group.is_empty() {
            self.keep(&mut turn, shared.connection, &Ok(()));
        } else if let Some((turn, shared)) = self.hand_over(turn, shared) {
            // What becomes of it is for those to hear whose work it holds.
            let _ = self.finish(turn, shared);
        }
    }

    /// Hands the transaction on, if anybody waits for it and it should hold more.
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
            // It holds what was put in.
            Writer::Closed | Writer::Idle(_) => None,
        }
    }

    /// Commits, lets the next have its turn, and tells all whose work it was.
    fn finish(&self, mut turn: FairMutexGuard<'_, Writer>, shared: OpenTransaction) -> Result<(), StoreError> {
        let (group, outcome) = self.commit(&mut turn, shared);
        drop(turn);
        group.complete(&outcome);
        outcome
    }

    /// Commits; those who have to be told, and what.
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
        // A commit into a file that nobody can open again is none.
        (group, committed.and_then(|()| self.file.check()))
    }
}

impl OpenTransaction {
    /// Adds a share, in a savepoint of its own where the transaction holds others'.
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
                // There is no savepoint any more where SQLite undid the transaction by itself.
                Err(error) if !first => JoinOutcome::Lost(undone.err().unwrap_or(error)),
                Ok(()) if !first && undone.is_ok() => JoinOutcome::Joined,
                _ => JoinOutcome::Undone(undone.map(drop)),
            },
        }
    }
}

/// A file that cannot be opened for writing may yet be read.
fn unwritable(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) => StoreError::Unwritable(reason),
        other => other,
    }
}
