//! Connection to either database. Queries are generic, so that a repository is written once; [`Engine`]
//! has what differs.

use diesel::connection::{
    AnsiTransactionManager, Connection, Instrumentation, InstrumentationEvent, TransactionManager,
};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_dsl::LoadQuery;
use diesel::query_dsl::methods::ExecuteDsl;
use diesel::result::{Error, QueryResult};
use portcullis_ports::{StoreError, TxMode};

/// Connection to either database.
pub(crate) trait Engine: Connection<TransactionManager = AnsiTransactionManager> + 'static {
    /// Returns the connection as one of the two.
    fn link(&mut self) -> Link<'_>;

    /// Classifies the error of a failed statement. The result contains no values.
    fn classify(error: &Error, mode: TxMode) -> StoreError;

    /// Returns whether the last failed statement on this thread hit the lock timeout, judged by its
    /// duration. Only needed if the server's messages are not in English.
    fn has_waited_for_lock() -> bool {
        false
    }

    /// Configures this transaction to write its pages to disk early, not all at once at a checkpoint.
    fn write_in_background(&mut self) -> QueryResult<()> {
        Ok(())
    }
}

/// Connection to one of the two databases.
pub(crate) enum Link<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// Query that returns rows of type `R` on both databases.
pub(crate) trait Loads<'q, R>: LoadQuery<'q, SqliteConnection, R> + LoadQuery<'q, PgConnection, R> {}

impl<'q, R, Q> Loads<'q, R> for Q where Q: LoadQuery<'q, SqliteConnection, R> + LoadQuery<'q, PgConnection, R> {}

/// Statement without result rows that both databases can execute.
pub(crate) trait Executes:
    RunQueryDsl<SqliteConnection> + ExecuteDsl<SqliteConnection> + RunQueryDsl<PgConnection> + ExecuteDsl<PgConnection>
{
}

impl<S> Executes for S where
    S: RunQueryDsl<SqliteConnection>
        + ExecuteDsl<SqliteConnection>
        + RunQueryDsl<PgConnection>
        + ExecuteDsl<PgConnection>
{
}

impl Link<'_> {
    pub(crate) fn load<'q, R>(&mut self, query: impl Loads<'q, R>) -> QueryResult<Vec<R>> {
        match self {
            Self::Sqlite(connection) => query.load(*connection),
            Self::Postgres(connection) => query.load(*connection),
        }
    }

    /// Returns the first row, or `NotFound`.
    pub(crate) fn one<'q, R>(&mut self, query: impl Loads<'q, R>) -> QueryResult<R> {
        match self {
            Self::Sqlite(connection) => query.get_result(*connection),
            Self::Postgres(connection) => query.get_result(*connection),
        }
    }

    pub(crate) fn execute(&mut self, statement: impl Executes) -> QueryResult<usize> {
        match self {
            Self::Sqlite(connection) => statement.execute(*connection),
            Self::Postgres(connection) => statement.execute(*connection),
        }
    }

    /// Runs statements in a savepoint, so that a failure undoes only them.
    pub(crate) fn savepoint<T>(&mut self, part: impl FnOnce(&mut Link<'_>) -> QueryResult<T>) -> QueryResult<T> {
        match self {
            Self::Sqlite(connection) => connection.transaction(|connection| part(&mut connection.link())),
            Self::Postgres(connection) => connection.transaction(|connection| part(&mut connection.link())),
        }
    }

    /// Begins a transaction that only reads.
    pub(crate) fn begin_read(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => AnsiTransactionManager::begin_transaction(*connection),
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction(*connection),
        }
    }

    pub(crate) fn end_read(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => AnsiTransactionManager::rollback_transaction(*connection),
            Self::Postgres(connection) => AnsiTransactionManager::rollback_transaction(*connection),
        }
    }

    /// See [`Engine::write_in_background`].
    pub(crate) fn write_in_background(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => connection.write_in_background(),
            Self::Postgres(connection) => connection.write_in_background(),
        }
    }

    pub(crate) fn classify(&self, error: &Error, mode: TxMode) -> StoreError {
        match self {
            Self::Sqlite(_) => SqliteConnection::classify(error, mode),
            Self::Postgres(_) => PgConnection::classify(error, mode),
        }
    }
}

/// Returns the columns of a row type, which are the same on both databases. `as_select` is for one of
/// them.
pub(crate) fn columns_of<R: Selectable<Pg>>() -> R::SelectExpression {
    R::construct_selection()
}

/// Logs statements at DEBUG, without the values bound to them.
pub(crate) fn statement_log() -> impl Instrumentation {
    |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event
            && tracing::enabled!(target: "app.store", tracing::Level::DEBUG)
        {
            let text = query.to_string();
            let statement = text.split_once("-- binds").map_or(text.as_str(), |(statement, _)| statement);
            tracing::debug!(target: "app.store", statement = statement.trim_end(), "Statement");
        }
    }
}
