//! What a database tells of itself, for whoever looks after it. What of it is bad is left to them.

use crate::error::MigrateError;
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;
use chrono::{DateTime, Utc};

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseInfo {
    /// An SQLite file.
    Sqlite {
        /// The version of the library that is built in.
        version: String,
        /// How commits are made whole: `wal`, wherever the file system can.
        journal_mode: String,
        /// How far a commit is written before it counts, as connections of the store have it.
        synchronous: String,
    },
    /// A PostgreSQL server.
    Postgres {
        /// Its version.
        version: String,
        /// Whether a commit is on the disk before it counts.
        synchronous_commit: String,
        /// Whether anything is.
        fsync: bool,
        /// Whether it takes writes.
        writable: bool,
        /// Connections of anybody that there are.
        connections: i64,
        /// Those that there may be.
        max_connections: i64,
        /// Whether its messages are in another language than English, and stay so: the store's role
        /// may not set `lc_messages`.
        foreign: bool,
        /// Its clock, in UTC.
        now: DateTime<Utc>,
    },
}

/// What answers.
#[derive(Clone)]
pub(crate) enum InfoSource {
    Sqlite(std::sync::Arc<SqliteStore>),
    Postgres(std::sync::Arc<PostgresStore>),
}

impl InfoSource {
    pub(crate) fn read_info(&self) -> Result<DatabaseInfo, MigrateError> {
        match self {
            Self::Sqlite(store) => Ok(store.examine()?),
            Self::Postgres(store) => store.examine(),
        }
    }
}
