//! The store on SQLite: one writer at a time, readers beside it. A commit is on the disk before
//! it is confirmed (WAL, `synchronous=FULL`).

mod checkpointer;
mod connection;
mod engine;
mod examination;
mod fair_mutex;
mod file;
mod group_commit;
mod inspection;
mod migrations;
mod rotation;
mod writer;

use crate::database::StoreOptions;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::pool::{Pool, PoolLoad};
use crate::transaction;
use checkpointer::Checkpointer;
use connection::{Connector, Role, WriteConnection};
use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use fair_mutex::FairMutex;
use file::DatabaseFile;
pub(crate) use inspection::references;
use portcullis_ports::{Clock, Rotation, Store, StoreError, TxMode, TxOutcome, TxWork};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// A [`Store`] in an SQLite file.
pub struct SqliteStore {
    opener: Connector,
    readers: Pool<SqliteConnection>,
    /// Under `synchronous=FULL`, several writers in a pool starve each other in SQLite's sleeping
    /// busy handler. One connection, and a queue before it, are fair and faster.
    writer: FairMutex<Writer>,
    checkpointer: Checkpointer,
    clock: Arc<dyn Clock>,
    wait: Duration,
    /// Last: closed after every connection.
    file: DatabaseFile,
}

impl SqliteStore {
    /// Opens the file, and makes it, readable for its owner alone, where it is missing. A process
    /// that opens it by other means too must close those before the last store on it: POSIX locks
    /// are given up by any close.
    ///
    /// # Errors
    /// [`OpenError`]; a damaged file is left untouched.
    pub fn open(path: &Path, options: &StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let file = DatabaseFile::open(path)?;
        let opener = Connector::new(&file, options);
        opener.quick_check(&file)?;
        let writer = opener.open(Role::Writer).map_err(|error| file.unusable(&error))?;
        Ok(Self {
            readers: Pool::new(options.connections, options.wait, clock.clone()),
            writer: FairMutex::new(Writer::Idle(WriteConnection::new(writer, options.wait))),
            checkpointer: Checkpointer::start(opener.clone(), file.clone()),
            wait: options.wait,
            file,
            opener,
            clock,
        })
    }

    fn transact_reading(&self, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.file.check()?;
        let mut slot = self.readers.slot()?;
        let mut connection = self.opener.reuse(slot.take(), Role::Reader)?;
        let outcome = transaction::read(&mut connection, work);
        if transaction::is_healthy(&mut connection, &outcome) {
            *slot = Some(connection);
        }
        outcome
    }

    /// How the connections of readers are used.
    pub(crate) fn load(&self) -> PoolLoad {
        self.readers.load()
    }

    /// Writes what is in the write-ahead log into the file, and empties the log.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let _paused = self.checkpointer.pause();
        self.with_writer(self.wait, connection::checkpoint_truncate)
    }
}

impl Store for SqliteStore {
    /// Reads run in no transaction, as on PostgreSQL: nearly all are one statement, which is one.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        match mode {
            TxMode::Read => self.transact_reading(work),
            TxMode::Write => self.write_grouped(&mut |connection| {
                let start = self.clock.monotonic();
                let outcome = transaction::run_work(connection, mode, work);
                self.checkpointer.worked(self.clock.monotonic().saturating_sub(start));
                outcome
            }),
        }
    }

    /// All in one share of a transaction.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        let mut rotated = Vec::new();
        self.write_grouped(&mut |connection| {
            let each = rotations.iter().map(|rotation| rotation::rotate(connection, rotation));
            rotated = each.collect::<Result<_, _>>()?;
            Ok(TxOutcome::Commit)
        })?;
        Ok(rotated)
    }
}

/// Takes SQLite's lock at once: a transaction that read first could not wait for it.
fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE");
    begun.map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}

#[cfg(test)]
mod tests;
