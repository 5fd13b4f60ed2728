//! Store on PostgreSQL. Every connection has timeouts and is dropped once it breaks. A server that is
//! down does not prevent startup.

mod check;
mod connection;
mod engine;
mod examination;
mod inspection;
mod language;
mod migrations;
mod node;
mod pooler;
mod refusal;
mod rotation;
mod url;

use crate::engine::Engine;
use crate::error::MigrateError;
use crate::options::StoreOptions;
use crate::pool::{Pool, PoolLoad};
use crate::transaction;
use connection::Connector;
use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use portcullis_ports::{Clock, Rotation, Store, StoreError, TxMode, TxWork};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
pub use url::PostgresUrl;

/// A [`Store`] on a PostgreSQL server.
pub struct PostgresStore {
    opener: Connector,
    pool: Pool<PgConnection>,
    /// Whether the schema is known to be up to date.
    ready: AtomicBool,
    /// Whether connections are known to reach the server without a transaction pooler.
    direct: AtomicBool,
}

impl PostgresStore {
    /// Creates a store without connecting. Every transaction fails as unavailable until the migrations
    /// have been applied or found to be applied.
    #[must_use]
    pub fn new(url: &PostgresUrl, options: &StoreOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            opener: Connector::new(url, options, clock.clone()),
            pool: Pool::new(options.connections, options.wait, clock, is_open),
            ready: AtomicBool::new(false),
            direct: AtomicBool::new(false),
        }
    }

    /// Returns how the connection pool is used.
    pub(crate) fn load(&self) -> PoolLoad {
        self.pool.load()
    }

    /// Opens a connection outside the pool, with no settings applied. Until a call has succeeded, also
    /// checks for a pooler that gives each transaction another server connection, and fails if there is
    /// one.
    fn connect(&self) -> Result<PgConnection, MigrateError> {
        if self.direct.load(Ordering::Acquire) {
            return Ok(self.opener.connect()?);
        }
        let connection = pooler::connect(&self.opener)?;
        self.direct.store(true, Ordering::Release);
        Ok(connection)
    }

    /// Runs a call with a connection of the pool.
    pub(crate) fn with_connection<T>(
        &self,
        call: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.ready.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the schema is not there yet".to_owned()));
        }
        node::forget();
        self.pool.with_connection(|| Ok(self.opener.open()?), call).map_err(node::name)
    }

    /// Begins a transaction. An idle connection may have broken unnoticed. Nothing has run on it yet,
    /// so a retry on a new connection is safe.
    fn begin(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if begin(connection).is_err() {
            node::forget();
            *connection = self.opener.open()?;
            begin(connection)?;
        }
        Ok(())
    }
}

impl Store for PostgresStore {
    /// Runs reads outside a transaction: under READ COMMITTED every statement has its own snapshot
    /// anyway, and the two additional round trips would gain nothing.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.with_connection(|connection| match mode {
            TxMode::Read => transaction::read(connection, work),
            TxMode::Write => {
                self.begin(connection)?;
                transaction::run(connection, mode, work)
            }
        })
    }

    /// Runs one statement, which is its own transaction. Never retries it: if its response is lost, the
    /// tokens may already be spent.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.with_connection(|connection| rotation::rotate(connection, rotations))
    }

    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        self.with_connection(|connection| check::check(connection, mode))
    }
}

/// Returns whether an idle connection is still open, without a round trip. A server that closes a
/// connection sends an error first, so this reads twice: the error, then the end of the stream.
fn is_open(connection: &mut PgConnection) -> bool {
    let hears = |connection: &mut PgConnection| !matches!(connection.notifications_iter().next(), Some(Err(_)));
    hears(connection) && hears(connection)
}

fn begin(connection: &mut PgConnection) -> Result<(), StoreError> {
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN ISOLATION LEVEL READ COMMITTED");
    begun.map_err(|error| PgConnection::classify(&error, TxMode::Write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_testkit::FixedClock;
    use portcullis_testkit::postgres::Server;

    #[test]
    fn a_lost_connection_names_its_server_if_there_are_several() {
        let url = Server::shared().create_database().url;
        let (user, place) = url.strip_prefix("postgres://").unwrap().split_once('@').unwrap();
        let (host, database) = place.split_once('/').unwrap();
        let lost = |hosts: &str| {
            let url = PostgresUrl::parse(&format!("{user}@{hosts}/{database}")).unwrap();
            let clock = Arc::new(FixedClock::at(chrono::DateTime::UNIX_EPOCH));
            let store = PostgresStore::new(&url, &StoreOptions::default(), clock);
            store.ready.store(true, Ordering::Release);
            let end = "SELECT pg_terminate_backend(pg_backend_pid())";
            let call = |connection: &mut PgConnection| {
                diesel::sql_query(end).execute(connection).map_err(|error| PgConnection::classify(&error, TxMode::Read))
            };
            store.with_connection(call).unwrap_err().to_string()
        };
        let told = lost(&format!("127.0.0.1:1,{host}"));
        assert!(told.ends_with(&format!("(server {host})")), "{told}");
        assert!(!lost(host).contains("server 1"), "one host is known");
    }
}
