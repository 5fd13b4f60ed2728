//! Version and settings of a database, for operators. `doctor` decides which of them are a problem.

use chrono::{DateTime, Utc};

/// Version and settings of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseInfo {
    /// An SQLite file.
    Sqlite {
        /// Version of the embedded SQLite library.
        version: String,
        /// Journal mode: `wal`, unless the file system does not support it.
        journal_mode: String,
        /// `synchronous` level of the store's connections.
        synchronous: String,
    },
    /// A PostgreSQL server.
    Postgres {
        /// Version of the server.
        version: String,
        /// Setting `synchronous_commit`: when a commit is on disk before it is confirmed.
        synchronous_commit: String,
        /// Whether the server flushes its writes to disk at all.
        fsync: bool,
        /// Whether the server accepts writes.
        writable: bool,
        /// Number of open connections of all clients.
        connections: i64,
        /// Maximum number of connections.
        max_connections: i64,
        /// Whether the server's messages are not in English and the store's role may not set
        /// `lc_messages`.
        foreign: bool,
        /// Time of the server's clock, in UTC.
        now: DateTime<Utc>,
    },
}
