//! The store on SQLite: one writer at a time, readers beside it. A commit is on the disk before
//! it is confirmed (WAL, `synchronous=FULL`).

mod connection;
mod engine;
mod file;
mod migrations;
mod rotation;
mod turnstile;

use crate::database::StoreOptions;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::pool::Pool;
use crate::transaction;
use connection::{Opener, Role};
use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use file::DatabaseFile;
use portcullis_ports::{Clock, Mode, Rotation, Store, StoreError, Work};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use turnstile::Turnstile;

/// A [`Store`] in an SQLite file.
pub struct SqliteStore {
    file: DatabaseFile,
    opener: Opener,
    readers: Pool<SqliteConnection>,
    /// Under `synchronous=FULL`, several writers in a pool starve each other in SQLite's sleeping
    /// busy handler. One connection, and a queue before it, are fair and faster.
    writer: Turnstile<Option<SqliteConnection>>,
    clock: Arc<dyn Clock>,
    wait: Duration,
}

impl SqliteStore {
    /// Opens the file, and makes it, readable for its owner alone, where it is missing.
    ///
    /// # Errors
    /// [`OpenError`]; a damaged file is left untouched.
    pub fn open(path: &Path, options: &StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let file = DatabaseFile::open(path)?;
        let opener = Opener::new(&file, options);
        opener.examine(&file)?;
        let writer = opener.open(Role::Writer).map_err(|error| file.unusable(&error))?;
        Ok(Self {
            readers: Pool::new(options.connections, options.wait, clock.clone()),
            writer: Turnstile::new(Some(writer)),
            wait: options.wait,
            file,
            opener,
            clock,
        })
    }

    fn transact_reading(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        self.file.check()?;
        let mut slot = self.readers.slot()?;
        let mut connection = self.opener.reuse(slot.take(), Role::Reader)?;
        begin(&mut connection, "BEGIN", Mode::Read)?;
        let outcome = transaction::run(&mut connection, Mode::Read, work);
        if transaction::is_healthy(&mut connection, &outcome) {
            *slot = Some(connection);
        }
        outcome
    }

    fn transact_writing(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        self.with_writer(self.wait, |connection| {
            begin(connection, "BEGIN IMMEDIATE", Mode::Write)?;
            transaction::run(connection, Mode::Write, work)
        })
    }

    /// Writes what is in the write-ahead log into the file, and empties the log.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        self.with_writer(self.wait, connection::checkpoint)
    }

    /// Calls with the writing connection, once it is free and with what is then left of the wait
    /// for other processes.
    fn with_writer<T>(
        &self,
        wait: Duration,
        call: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let start = self.clock.monotonic();
        let busy = || StoreError::Busy(format!("the writer was not free within {wait:?}"));
        let mut turn = self.writer.acquire(wait).ok_or_else(busy)?;
        self.file.check()?;
        let mut connection = self.opener.reuse(turn.take(), Role::Writer).map_err(unwritable)?;
        let left = wait.saturating_sub(self.clock.monotonic().saturating_sub(start));
        connection::set_busy_timeout(&mut connection, left)?;
        let outcome = call(&mut connection);
        if transaction::is_healthy(&mut connection, &outcome) {
            *turn = Some(connection);
        }
        // A commit into a file that nobody can open again is none.
        outcome.and_then(|value| self.file.check().map(|()| value))
    }
}

impl Store for SqliteStore {
    fn transact(&self, mode: Mode, work: &mut Work<'_>) -> Result<(), StoreError> {
        match mode {
            Mode::Read => self.transact_reading(work),
            Mode::Write => self.transact_writing(work),
        }
    }

    /// One transaction for all.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        if rotations.is_empty() {
            return Ok(Vec::new());
        }
        self.with_writer(self.wait, |connection| {
            begin(connection, "BEGIN IMMEDIATE", Mode::Write)?;
            let rotated = rotations.iter().map(|rotation| rotation::rotate(connection, rotation)).collect();
            transaction::conclude(connection, rotated)
        })
    }
}

/// A file that cannot be opened for writing may yet be read.
fn unwritable(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(reason) => StoreError::Unwritable(reason),
        other => other,
    }
}

fn begin(connection: &mut SqliteConnection, statement: &str, mode: Mode) -> Result<(), StoreError> {
    let begun = AnsiTransactionManager::begin_transaction_sql(connection, statement);
    begun.map_err(|error| SqliteConnection::classify(&error, mode))
}

#[cfg(test)]
mod tests;
