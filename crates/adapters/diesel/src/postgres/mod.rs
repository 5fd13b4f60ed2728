//! The store on PostgreSQL: every connection with its time limits, none handed out twice once it
//! broke, and a server that is down at the start no reason not to start.

mod connection;
mod engine;
mod examination;
mod inspection;
mod language;
mod migrations;
mod pooler;
mod refusal;
mod rotation;
mod url;

use crate::database::StoreOptions;
use crate::engine::Engine;
use crate::error::MigrateError;
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
    /// Whether the schema is known to be this program's.
    ready: AtomicBool,
    /// Whether connections are known to be the server's own.
    direct: AtomicBool,
}

impl PostgresStore {
    /// Prepares a store. Nothing is connected before the first call, and every transaction is
    /// refused as unavailable until the migrations were applied, or found to be.
    #[must_use]
    pub fn new(url: &PostgresUrl, options: &StoreOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            opener: Connector::new(url, options, clock.clone()),
            pool: Pool::new(options.connections, options.wait, clock),
            ready: AtomicBool::new(false),
            direct: AtomicBool::new(false),
        }
    }

    /// How its connections are used.
    pub(crate) fn load(&self) -> PoolLoad {
        self.pool.load()
    }

    /// A new connection outside the pool, on which nothing is set. The first one refuses a pooler that
    /// gives each transaction another connection.
    fn connect(&self) -> Result<PgConnection, MigrateError> {
        if self.direct.load(Ordering::Acquire) {
            return Ok(self.opener.connect()?);
        }
        let connection = pooler::connect(&self.opener)?;
        self.direct.store(true, Ordering::Release);
        Ok(connection)
    }

    /// Calls with a connection.
    fn with_connection<T>(
        &self,
        call: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.ready.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the schema is not there yet".to_owned()));
        }
        let (mut slot, mut connection) = self.pool.connection(is_open, || Ok(self.opener.open()?))?;
        let outcome = call(&mut connection);
        if transaction::is_healthy(&mut connection, &outcome) {
            *slot = Some(connection);
        }
        outcome
    }

    /// Begins a transaction. A connection may have died while it was idle, in a way that does
    /// not show: nothing ran yet, so a new one is tried.
    fn begin(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if begin(connection).is_err() {
            *connection = self.opener.open()?;
            begin(connection)?;
        }
        Ok(())
    }
}

impl Store for PostgresStore {
    /// Reads run in no transaction: under READ COMMITTED every statement has a snapshot of its
    /// own anyway, and the two round trips around it would buy nothing.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.with_connection(|connection| match mode {
            TxMode::Read => transaction::read(connection, work),
            TxMode::Write => {
                self.begin(connection)?;
                transaction::run(connection, mode, work)
            }
        })
    }

    /// One statement, which is its own transaction. It is never sent twice: where its answer is
    /// lost, the tokens may be spent.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.with_connection(|connection| rotation::rotate(connection, rotations))
    }
}

/// Whether an idle connection is still open, as far as the operating system knows: asks nobody.
/// A server that ended it said so, and then hung up: read the one, then the other.
fn is_open(connection: &mut PgConnection) -> bool {
    let hears = |connection: &mut PgConnection| !matches!(connection.notifications_iter().next(), Some(Err(_)));
    hears(connection) && hears(connection)
}

fn begin(connection: &mut PgConnection) -> Result<(), StoreError> {
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN ISOLATION LEVEL READ COMMITTED");
    begun.map_err(|error| PgConnection::classify(&error, TxMode::Write))
}
