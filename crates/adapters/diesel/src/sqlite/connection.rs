//! Opens connections to the file and sets the pragmas that SQLite keeps per connection.

use super::engine;
use super::file::DatabaseFile;
use crate::engine::{Engine, statement_log};
use crate::error::OpenError;
use crate::options::StoreOptions;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use portcullis_ports::{StoreError, TxMode};
use std::time::Duration;

/// Maximum size of a file that is checked at startup, before anything writes to it. Reading a larger one
/// would delay startup; its damage shows when it is used.
const MAX_QUICK_CHECK_BYTES: u64 = 64 << 20;

/// Maximum attempts to enable the WAL while other processes do the same.
const ATTEMPTS: u32 = 100;

/// Maximum time by which a wait for a lock may exceed the requested one.
const TIMEOUT_GRANULARITY: Duration = Duration::from_millis(100);

/// Page cache of a reader in KiB: an eighth of SQLite's default, since the operating system caches the
/// rest. As large as the initial allocation of each cache in `.cargo/config.toml`.
const READER_CACHE_KIB: u32 = 256;

/// WAL length at which the committing connection copies it, in pages: SQLite's own autocheckpoint.
const AUTOCHECKPOINT_PAGES: u32 = 16 * 1024;

/// Purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// Opens connections to one database file.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) uri: String,
    wait: Duration,
    log_statements: bool,
}

impl Connector {
    pub(super) fn new(file: &DatabaseFile, options: &StoreOptions) -> Self {
        Self { uri: file.uri("rw"), wait: options.wait, log_statements: options.log_statements }
    }

    /// Checks the file for damage through a read-only connection.
    pub(super) fn quick_check(&self, file: &DatabaseFile) -> Result<(), OpenError> {
        if !(1..=MAX_QUICK_CHECK_BYTES).contains(&file.size()) {
            return Ok(());
        }
        let findings = SqliteConnection::establish(&file.uri("ro")).map_err(|error| error.to_string()).and_then(
            |mut connection| {
                set_busy_timeout(&mut connection, self.wait).map_err(|error| error.to_string())?;
                sql::<Text>("PRAGMA quick_check(1)").get_result::<String>(&mut connection).map_err(|e| e.to_string())
            },
        );
        match findings {
            Ok(findings) if findings != "ok" => Err(file.damaged(findings.replace('\n', " "))),
            Err(reason) if engine::DAMAGED.contains(&reason.as_str()) => Err(file.damaged(reason)),
            // A file that cannot be checked now (a journal to roll back, a lock) may still be usable.
            _ => Ok(()),
        }
    }

    /// Opens a connection.
    pub(super) fn open(&self, role: Role) -> Result<SqliteConnection, StoreError> {
        let opened = SqliteConnection::establish(&self.uri);
        let mut connection = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if self.log_statements {
            connection.set_instrumentation(statement_log());
        }
        // First, because the next pragma may have to wait for a lock.
        set_busy_timeout(&mut connection, self.wait)?;
        let journal = write_ahead_log(&mut connection)?;
        if journal != "wal" {
            tracing::warn!(target: "app", journal, "The file system does not support SQLite's write-ahead log");
            // Without a WAL, `FULL` is not enough: after a power failure a deleted journal, and with it
            // old rows, could come back.
            run(&mut connection, "PRAGMA synchronous = EXTRA")?;
        } else {
            run(&mut connection, "PRAGMA synchronous = FULL")?;
        }
        run(&mut connection, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY")?;
        let of_the_role = match role {
            Role::Reader => format!("PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB}"),
            Role::Writer => format!("PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}"),
        };
        run(&mut connection, &of_the_role)?;
        Ok(connection)
    }
}

/// Enables the WAL if necessary and returns the journal mode. SQLite does not wait if two processes
/// enable it at once, so this waits for the other's lock and tries again.
fn write_ahead_log(connection: &mut SqliteConnection) -> Result<String, StoreError> {
    let mut attempts = 0;
    loop {
        let journal = sql::<Text>("PRAGMA journal_mode = WAL").get_result::<String>(connection);
        match journal.map_err(|error| SqliteConnection::classify(&error, TxMode::Write)) {
            Err(StoreError::Busy(_)) if attempts < ATTEMPTS => run(connection, "BEGIN IMMEDIATE; ROLLBACK")?,
            outcome => return outcome,
        }
        attempts += 1;
    }
}

/// Copies the WAL into the file and truncates it, as far as readers permit.
pub(super) fn checkpoint_truncate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Copies as much of the WAL as possible without waiting, concurrently with a writer.
pub(super) fn checkpoint_passive(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "PRAGMA wal_checkpoint(PASSIVE)")
}

/// Writes the page with the database's user version again, with the same one.
pub(super) fn rewrite_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let rewritten = connection.immediate_transaction(|connection| {
        let version = sql::<BigInt>("PRAGMA user_version").get_result::<i64>(connection)?;
        connection.batch_execute(&format!("PRAGMA user_version = {version}"))
    });
    rewritten.map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}

/// Length of the WAL in pages.
pub(super) struct WalStatus {
    pub(super) pages: i64,
    copied: i64,
}

impl WalStatus {
    /// Returns the number of pages that have not been copied yet.
    pub(super) fn left(&self) -> i64 {
        self.pages - self.copied
    }
}

/// Returns the length of the WAL, without copying anything.
pub(super) fn wal_status(connection: &mut SqliteConnection) -> Result<WalStatus, StoreError> {
    let state =
        sql::<(BigInt, BigInt, BigInt)>("PRAGMA wal_checkpoint(NOOP)").get_result::<(i64, i64, i64)>(connection);
    let (_, pages, copied) = state.map_err(|error| SqliteConnection::classify(&error, TxMode::Read))?;
    Ok(WalStatus { pages, copied })
}

/// Write connection.
pub(super) struct WriteConnection {
    pub(super) inner: SqliteConnection,
    /// Busy timeout for locks of other processes.
    busy_timeout: Duration,
}

impl WriteConnection {
    /// Creates a write connection that was opened with this busy timeout.
    pub(super) fn new(inner: SqliteConnection, busy_timeout: Duration) -> Self {
        Self { inner, busy_timeout }
    }

    /// Sets the busy timeout to `wait`, unless it is already that long or up to [`TIMEOUT_GRANULARITY`]
    /// longer. Most callers have not waited before, so the timeout rarely changes.
    pub(super) fn wait_at_most(&mut self, wait: Duration) -> Result<(), StoreError> {
        if self.busy_timeout < wait || self.busy_timeout > wait + TIMEOUT_GRANULARITY {
            set_busy_timeout(&mut self.inner, wait)?;
            self.busy_timeout = wait;
        }
        Ok(())
    }
}

/// Sets how long the connection waits for locks of other processes.
fn set_busy_timeout(connection: &mut SqliteConnection, wait: Duration) -> Result<(), StoreError> {
    run(connection, &format!("PRAGMA busy_timeout = {}", wait.as_millis()))
}

fn run(connection: &mut SqliteConnection, statements: &str) -> Result<(), StoreError> {
    connection.batch_execute(statements).map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}
