//! Store on SQLite: one writer at a time, concurrent readers. A commit is on disk before it is confirmed
//! (WAL, `synchronous=FULL`).

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

use crate::engine::Engine;
use crate::error::OpenError;
use crate::options::StoreOptions;
use crate::pool::{OpenFailure, Pool, PoolLoad};
use crate::transaction;
use checkpointer::Checkpointer;
use connection::{Connector, Role, WriteConnection};
use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use fair_mutex::FairMutex;
use file::DatabaseFile;
pub(crate) use inspection::references;
use portcullis_domain::registration::UserId;
use portcullis_ports::{Clock, Rotation, Store, StoreError, StoreExt, TxMode, TxOutcome, TxWork};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writer::Writer;

/// A [`Store`] in an SQLite file.
pub struct SqliteStore {
    opener: Connector,
    readers: Pool<SqliteConnection>,
    /// One connection with a queue in front, which is fair and faster: under `synchronous=FULL`, several
    /// writers in a pool starve each other in SQLite's sleeping busy handler.
    writer: FairMutex<Writer>,
    checkpointer: Checkpointer,
    clock: Arc<dyn Clock>,
    wait: Duration,
    /// Last field: closed after every connection.
    file: DatabaseFile,
}

impl SqliteStore {
    /// Opens the file, or creates it readable only by its owner. If the process also opens the file with
    /// its own SQLite connections, it must close them before it drops the last store on it: closing the
    /// store's descriptor releases all POSIX locks that the process holds on the file.
    ///
    /// # Errors
    /// Returns [`OpenError`] if the file is damaged or cannot be used. A damaged file is not changed.
    pub fn open(path: &Path, options: &StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let file = DatabaseFile::open(path)?;
        let opener = Connector::new(&file, options);
        opener.quick_check(&file)?;
        let writer = opener.open(Role::Writer).map_err(|error| file.unusable(&error))?;
        Ok(Self {
            readers: Pool::new(options.connections, options.wait, clock.clone(), |_| true),
            writer: FairMutex::new(Writer::Idle(WriteConnection::new(writer, options.wait))),
            checkpointer: Checkpointer::start(opener.clone(), file.clone()),
            wait: options.wait,
            file,
            opener,
            clock,
        })
    }

    /// Runs a call with a connection of the pool of readers.
    pub(crate) fn with_reader<T>(
        &self,
        call: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.file.check()?;
        self.readers.with_connection(|| self.opener.open(Role::Reader).map_err(OpenFailure::Failed), call)
    }

    /// Returns how the readers' connections are used.
    pub(crate) fn load(&self) -> PoolLoad {
        self.readers.load()
    }

    /// Copies the WAL into the file and truncates it.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let _paused = self.checkpointer.pause();
        self.with_writer(self.wait, connection::checkpoint_truncate)
    }
}

impl Store for SqliteStore {
    /// Runs reads outside a transaction, as on PostgreSQL: nearly all are a single statement.
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        match mode {
            TxMode::Read => self.with_reader(|connection| transaction::read(connection, work)),
            TxMode::Write => self.write_grouped(&mut |connection| {
                let start = self.clock.monotonic();
                let outcome = transaction::run_work(connection, mode, work);
                self.checkpointer.worked(self.clock.monotonic().saturating_sub(start));
                outcome
            }),
        }
    }

    /// Runs all rotations as one job in a transaction.
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

    /// A write alone shows whether the disk takes one.
    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        match mode {
            TxMode::Read => self.read(|tx| tx.users().find(UserId::new(0))).map(drop),
            TxMode::Write => self.with_writer(self.wait, connection::rewrite_version),
        }
    }
}

/// Acquires SQLite's write lock at once: a transaction that read first could not wait for it.
fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE");
    begun.map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}

#[cfg(test)]
mod tests;
