//! The store on PostgreSQL: every connection with its time limits, none handed out twice once it
//! broke, and a server that is down at the start no reason not to start.

mod connection;
mod engine;
mod migrations;
mod url;

use crate::database::StoreOptions;
use crate::engine::Engine;
use crate::pool::Pool;
use crate::transaction;
use connection::Opener;
use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use portcullis_ports::{Mode, Store, StoreError, Work};
use std::sync::atomic::{AtomicBool, Ordering};
pub use url::PostgresUrl;

/// A [`Store`] on a PostgreSQL server.
pub struct PostgresStore {
    opener: Opener,
    pool: Pool<PgConnection>,
    /// Whether the schema is known to be this program's.
    ready: AtomicBool,
}

impl PostgresStore {
    /// Prepares a store. Nothing is connected before the first call, and every transaction is
    /// refused as unavailable until the migrations were applied, or found to be.
    #[must_use]
    pub fn new(url: &PostgresUrl, options: &StoreOptions) -> Self {
        Self {
            opener: Opener::new(url, options),
            pool: Pool::new(options.connections, options.wait),
            ready: AtomicBool::new(false),
        }
    }

    /// A connection with a transaction begun. One that was idle may have died meanwhile, with
    /// the server: nothing ran yet, so a new one is tried.
    fn begin(&self, idle: Option<PgConnection>, mode: Mode) -> Result<PgConnection, StoreError> {
        if let Some(mut connection) = idle
            && begin(&mut connection, mode).is_ok()
        {
            return Ok(connection);
        }
        let mut connection = self.opener.open()?;
        begin(&mut connection, mode)?;
        Ok(connection)
    }
}

impl Store for PostgresStore {
    fn transact(&self, mode: Mode, work: &mut Work<'_>) -> Result<(), StoreError> {
        if !self.ready.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("the schema is not there yet".to_owned()));
        }
        let mut slot = self.pool.slot()?;
        let mut connection = self.begin(slot.take(), mode)?;
        let outcome = transaction::run(&mut connection, mode, work);
        if transaction::is_healthy(&mut connection, &outcome) {
            *slot = Some(connection);
        }
        outcome
    }
}

fn begin(connection: &mut PgConnection, mode: Mode) -> Result<(), StoreError> {
    let statement = match mode {
        Mode::Read => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
    };
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, statement);
    begun.map_err(|error| PgConnection::classify(&error, mode))
}
