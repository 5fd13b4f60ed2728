//! Opening connections to the file, each with the pragmas that SQLite keeps per connection.

use super::file::DatabaseFile;
use super::{checkpointer, engine};
use crate::database::StoreOptions;
use crate::engine::{Engine, statement_log};
use crate::error::OpenError;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use portcullis_ports::{StoreError, TxMode};
use std::time::Duration;

/// Up to this size a file is read through once at start, before anything writes to it. A larger
/// one would hold up the start; what is damaged in it shows when it is used.
const MAX_QUICK_CHECK_BYTES: u64 = 64 << 20;

/// How often the write-ahead log is asked for where others ask at the same time.
const ATTEMPTS: u32 = 100;

/// A wait for a lock may be so much longer than it was meant to be.
const TIMEOUT_GRANULARITY: Duration = Duration::from_millis(100);

/// Pages that a reader keeps, in KiB: an eighth of what SQLite would, and the system has the rest.
/// As much as `.cargo/config.toml` has each cache take when it is opened.
const READER_CACHE_KIB: u32 = 256;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// Opens connections.
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

    /// Looks for damage, through a connection that cannot write.
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
            // What cannot be examined now (a journal to be rolled back, a lock) may yet be used.
            _ => Ok(()),
        }
    }

    /// The connection at hand, or a new one.
    pub(super) fn reuse(&self, idle: Option<SqliteConnection>, role: Role) -> Result<SqliteConnection, StoreError> {
        idle.map_or_else(|| self.open(role), Ok)
    }

    /// A new connection.
    pub(super) fn open(&self, role: Role) -> Result<SqliteConnection, StoreError> {
        let opened = SqliteConnection::establish(&self.uri);
        let mut connection = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if self.log_statements {
            connection.set_instrumentation(statement_log());
        }
        // First of all, for the next one may have to wait for a lock.
        set_busy_timeout(&mut connection, self.wait)?;
        let journal = write_ahead_log(&mut connection)?;
        if journal != "wal" {
            tracing::warn!(target: "app", journal, "The file system does not support SQLite's write-ahead log");
            // Without it, a power cut could bring a deleted journal, and with it the old rows, back.
            run(&mut connection, "PRAGMA synchronous = EXTRA")?;
        } else {
            run(&mut connection, "PRAGMA synchronous = FULL")?;
        }
        run(&mut connection, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY")?;
        let of_the_role = match role {
            Role::Reader => format!("PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB}"),
            Role::Writer => format!("PRAGMA wal_autocheckpoint = {}", checkpointer::AUTOCHECKPOINT_PAGES),
        };
        run(&mut connection, &of_the_role)?;
        Ok(connection)
    }
}

/// Turns the write-ahead log on, where it is not, and gives the journal mode. SQLite does not
/// wait where two turn it on at once, so this waits for the other's lock, and asks again.
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

/// Empties the write-ahead log into the file, as far as readers let it.
pub(super) fn checkpoint_truncate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Copies of the write-ahead log what can be copied without waiting, and beside a writer.
pub(super) fn checkpoint_passive(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "PRAGMA wal_checkpoint(PASSIVE)")
}

/// Pages of the write-ahead log; none where there is no log.
pub(super) struct WalStatus {
    pub(super) pages: i64,
    copied: i64,
}

impl WalStatus {
    /// Those that are not in the file yet.
    pub(super) fn left(&self) -> i64 {
        self.pages - self.copied
    }
}

/// How long the write-ahead log is.
pub(super) fn wal_status(connection: &mut SqliteConnection) -> Result<WalStatus, StoreError> {
    let state =
        sql::<(BigInt, BigInt, BigInt)>("PRAGMA wal_checkpoint(NOOP)").get_result::<(i64, i64, i64)>(connection);
    let (_, pages, copied) = state.map_err(|error| SqliteConnection::classify(&error, TxMode::Read))?;
    Ok(WalStatus { pages, copied })
}

/// The writing connection.
pub(super) struct WriteConnection {
    pub(super) inner: SqliteConnection,
    /// How long it waits for locks of other processes.
    cancellation: Duration,
}

impl WriteConnection {
    /// One that waits as long as it was opened to wait.
    pub(super) fn new(inner: SqliteConnection, cancellation: Duration) -> Self {
        Self { inner, cancellation }
    }

    /// Backoff so long from now on, or [`TIMEOUT_GRANULARITY`] longer: most callers wait for nobody before, and
    /// need nothing to be changed.
    pub(super) fn wait_at_most(&mut self, wait: Duration) -> Result<(), StoreError> {
        if self.cancellation < wait || self.cancellation > wait + TIMEOUT_GRANULARITY {
            set_busy_timeout(&mut self.inner, wait)?;
            self.cancellation = wait;
        }
        Ok(())
    }
}

/// How long the connection waits for locks of other processes.
fn set_busy_timeout(connection: &mut SqliteConnection, wait: Duration) -> Result<(), StoreError> {
    run(connection, &format!("PRAGMA busy_timeout = {}", wait.as_millis()))
}

fn run(connection: &mut SqliteConnection, statements: &str) -> Result<(), StoreError> {
    connection.batch_execute(statements).map_err(|error| SqliteConnection::classify(&error, TxMode::Write))
}
