//! Open transaction on either database: provides the repositories, and commits or rolls back as its
//! work requests. Each database implements how a transaction begins.

use crate::engine::Engine;
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::QueryResult;
use portcullis_ports::{
    OneTimeTokenRepository, OutboxRepository, RefreshTokenRepository, SessionRepository, StoreError, Tx, TxMode,
    TxOutcome, TxWork, UserRepository,
};

/// Repositories of one transaction.
pub(crate) struct Transaction<'c, C> {
    pub(crate) connection: &'c mut C,
    mode: TxMode,
    /// First failure. PostgreSQL would silently turn a commit after it into a rollback.
    failure: Option<StoreError>,
}

impl<C: Engine> Transaction<'_, C> {
    /// Classifies a statement's failure and records it.
    pub(crate) fn check<T>(&mut self, result: QueryResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| self.fail(C::classify(&error, self.mode)))
    }

    /// Returns the connection for a statement that writes, or an error in a read transaction. The
    /// database may not enforce that itself.
    pub(crate) fn write_connection(&mut self) -> Result<&mut C, StoreError> {
        match self.mode {
            TxMode::Write => Ok(self.connection),
            TxMode::Read => Err(self.fail(StoreError::Failed("a reading transaction does not write".to_owned()))),
        }
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
        let begun = AnsiTransactionManager::begin_transaction(self.connection);
        self.check(begun)?;
        let outcome = read(self);
        let ended = AnsiTransactionManager::rollback_transaction(self.connection);
        self.check(ended).and(outcome)
    }

    /// Runs a statement of background work. Even one that only reads may write: the server may have to
    /// evict dirty pages to load the ones it needs.
    pub(crate) fn in_background<T>(
        &mut self,
        statement: impl FnOnce(&mut C) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        self.batched_read(|tx| {
            let told = tx.connection.write_in_background();
            tx.check(told)?;
            let outcome = statement(tx.connection);
            tx.check(outcome)
        })
    }

    /// Records a failure, so that nothing is committed after it.
    pub(crate) fn fail(&mut self, error: StoreError) -> StoreError {
        self.failure.get_or_insert(error).clone()
    }
}

impl<C> Tx for Transaction<'_, C>
where
    Self: UserRepository + SessionRepository + RefreshTokenRepository + OneTimeTokenRepository + OutboxRepository,
{
    fn users(&mut self) -> &mut dyn UserRepository {
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
}

/// Runs the work in the transaction that the connection has begun, then commits or rolls back.
pub(crate) fn run<C>(connection: &mut C, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError>
where
    C: Engine,
    for<'c> Transaction<'c, C>: Tx,
{
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
pub(crate) fn read<C>(connection: &mut C, work: &mut TxWork<'_>) -> Result<(), StoreError>
where
    C: Engine,
    for<'c> Transaction<'c, C>: Tx,
{
    run_work(connection, TxMode::Read, work).map(drop)
}

/// Runs the work and returns how its transaction has to end.
pub(crate) fn run_work<C>(connection: &mut C, mode: TxMode, work: &mut TxWork<'_>) -> Result<TxOutcome, StoreError>
where
    C: Engine,
    for<'c> Transaction<'c, C>: Tx,
{
    let mut transaction = Transaction { connection, mode, failure: None };
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
