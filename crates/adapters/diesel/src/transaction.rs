//! Open transaction on either database: provides the repositories, and commits or rolls back as its
//! work requests. Each database implements how a transaction begins.

use crate::engine::{Engine, Executes, Link, Loads};
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::query_dsl::methods::LimitDsl;
use portcullis_ports::{
    CredentialRepository, FactorRepository, IdentityRepository, OneTimeTokenRepository, OutboxRepository,
    PasskeyRepository, RefreshTokenRepository, SessionRepository, SignInRepository, StoreError, Tx, TxMode, TxOutcome,
    TxWork, UserRepository,
};

/// Repositories of one transaction.
pub(crate) struct Transaction<'c> {
    pub(crate) link: Link<'c>,
    mode: TxMode,
    /// Whether a statement has changed a row.
    pub(crate) written: bool,
    /// First failure. PostgreSQL would silently turn a commit after it into a rollback.
    failure: Option<StoreError>,
}

impl Transaction<'_> {
    /// Returns all rows.
    pub(crate) fn load<'q, R>(&mut self, query: impl Loads<'q, R>) -> Result<Vec<R>, StoreError> {
        let rows = self.link.load(query);
        self.check(rows)
    }

    /// Returns the only row of a query that always has one.
    pub(crate) fn one<'q, R>(&mut self, query: impl Loads<'q, R>) -> Result<R, StoreError> {
        let row = self.link.one(query);
        self.check(row)
    }

    /// Returns the first row, if any.
    pub(crate) fn first<'q, R>(&mut self, query: impl LimitDsl<Output: Loads<'q, R>>) -> Result<Option<R>, StoreError> {
        let row = self.link.one(query.limit(1)).optional();
        self.check(row)
    }

    /// Runs a statement that writes. Returns the number of affected rows.
    pub(crate) fn change(&mut self, statement: impl Executes) -> Result<usize, StoreError> {
        self.require_write()?;
        let changed = self.link.execute(statement);
        let rows = self.check(changed)?;
        self.written |= rows > 0;
        Ok(rows)
    }

    /// Runs a statement that writes. Returns whether it affected its row.
    pub(crate) fn changed_one(&mut self, statement: impl Executes) -> Result<bool, StoreError> {
        Ok(self.change(statement)? == 1)
    }

    /// Runs a statement that writes and returns rows.
    pub(crate) fn change_returning<'q, R>(&mut self, statement: impl Loads<'q, R>) -> Result<Vec<R>, StoreError> {
        self.require_write()?;
        let rows = self.load(statement)?;
        self.written |= !rows.is_empty();
        Ok(rows)
    }

    /// Fails in a read transaction. The database may not enforce that itself.
    pub(crate) fn require_write(&mut self) -> Result<(), StoreError> {
        match self.mode {
            TxMode::Write => Ok(()),
            TxMode::Read => Err(self.fail(StoreError::Failed("a reading transaction does not write".to_owned()))),
        }
    }

    /// Classifies a statement's failure and records it.
    pub(crate) fn check<T>(&mut self, result: QueryResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| self.fail(self.link.classify(&error, self.mode)))
    }

    /// Runs several reads in one transaction. Outside of one, each statement acquires and releases
    /// SQLite's lock.
    pub(crate) fn batched_read<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.mode == TxMode::Write {
            return read(self);
        }
        let begun = self.link.begin_read();
        self.check(begun)?;
        let outcome = read(self);
        let ended = self.link.end_read();
        self.check(ended).and(outcome)
    }

    /// Runs a statement of background work. Even one that only reads may write: the server may have to
    /// evict dirty pages to load the ones it needs.
    pub(crate) fn in_background<T>(
        &mut self,
        statement: impl FnOnce(&mut Link<'_>) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        self.batched_read(|tx| {
            let told = tx.link.write_in_background();
            tx.check(told)?;
            let outcome = statement(&mut tx.link);
            tx.check(outcome)
        })
    }

    /// Records a failure, so that nothing is committed after it.
    pub(crate) fn fail(&mut self, error: StoreError) -> StoreError {
        self.failure.get_or_insert(error).clone()
    }
}

impl Tx for Transaction<'_> {
    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn credentials(&mut self) -> &mut dyn CredentialRepository {
        self
    }

    fn factors(&mut self) -> &mut dyn FactorRepository {
        self
    }

    fn passkeys(&mut self) -> &mut dyn PasskeyRepository {
        self
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self
    }

    fn sign_ins(&mut self) -> &mut dyn SignInRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self
    }

    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self
    }

    fn has_written(&self) -> bool {
        self.written
    }
}

/// Runs the work in the transaction that the connection has begun, then commits or rolls back.
pub(crate) fn run<C: Engine>(connection: &mut C, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
    match run_work(connection, mode, work) {
        Ok(TxOutcome::Commit) => commit(connection, mode),
        undone => {
            // If this fails, the connection is not healthy. It is closed, which rolls back the
            // transaction.
            let _ = rollback(connection, mode);
            undone.map(drop)
        }
    }
}

/// Runs work that reads, outside a transaction: every statement sees what has been committed by then.
pub(crate) fn read<C: Engine>(connection: &mut C, work: &mut TxWork<'_>) -> Result<(), StoreError> {
    run_work(connection, TxMode::Read, work).map(drop)
}

/// Runs the work and returns how its transaction has to end.
pub(crate) fn run_work<C: Engine>(
    connection: &mut C,
    mode: TxMode,
    work: &mut TxWork<'_>,
) -> Result<TxOutcome, StoreError> {
    let mut transaction = Transaction { link: connection.link(), mode, written: false, failure: None };
    match (work(&mut transaction), transaction.failure) {
        (Ok(TxOutcome::Commit), Some(failure)) => Err(failure),
        // The circuit breaker must see every outage, even if the work ignored the error.
        (Ok(TxOutcome::Rollback), Some(outage)) if is_connection_lost(&outage) => Err(outage),
        (wanted, _) => wanted,
    }
}

/// Begins a savepoint, which [`commit`] releases and [`rollback`] undoes.
pub(crate) fn begin_savepoint<C: Engine>(connection: &mut C) -> Result<(), StoreError> {
    AnsiTransactionManager::begin_transaction(connection).map_err(|error| C::classify(&error, TxMode::Write))
}

/// Commits a transaction, or releases a savepoint.
pub(crate) fn commit<C: Engine>(connection: &mut C, mode: TxMode) -> Result<(), StoreError> {
    AnsiTransactionManager::commit_transaction(connection).map_err(|error| C::classify(&error, mode))
}

/// Rolls back a transaction, or to a savepoint.
pub(crate) fn rollback<C: Engine>(connection: &mut C, mode: TxMode) -> Result<(), StoreError> {
    AnsiTransactionManager::rollback_transaction(connection).map_err(|error| C::classify(&error, mode))
}

/// Returns whether an error is an outage, after which its connection must not be reused.
pub(crate) fn is_connection_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Unwritable(_))
}

/// Returns whether a connection can be reused: it is in no transaction, and the last one did not end
/// with an outage.
pub(crate) fn is_healthy<C: Engine, T>(connection: &mut C, outcome: &Result<T, StoreError>) -> bool {
    !outcome.as_ref().is_err_and(is_connection_lost)
        && !AnsiTransactionManager::is_broken_transaction_manager(connection)
}
