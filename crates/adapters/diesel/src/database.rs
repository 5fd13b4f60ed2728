//! Parses `DATABASE_URL` and opens the SQLite or PostgreSQL store that it names.

use crate::error::{DatabaseUrlError, MigrateError, OpenError};
use crate::info::DatabaseInfo;
use crate::migrations::Migrations;
use crate::options::StoreOptions;
use crate::passkeys::count_of_other_rp_ids;
use crate::pool::PoolLoad;
use crate::postgres::{PostgresStore, PostgresUrl};
use crate::sqlite::SqliteStore;
use portcullis_ports::{Clock, Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

/// Parsed `DATABASE_URL`. Its `Debug` output contains no password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

/// Open database: the store and its migrations.
#[derive(Clone)]
pub struct Database {
    /// Access to the data.
    pub store: Arc<dyn Store>,
    /// Access to the schema.
    pub migrations: Arc<dyn Migrations>,
    opened: Opened,
}

#[derive(Clone)]
enum Opened {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Database {
    /// Opens an SQLite file, or prepares the connection to a PostgreSQL server without connecting yet.
    ///
    /// A PostgreSQL store is unavailable until its migrations have been applied or found to be applied.
    ///
    /// # Errors
    /// Returns [`OpenError`] if an SQLite file cannot be used. Never fails for PostgreSQL.
    pub fn open(url: &DatabaseUrl, options: &StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => {
                let store = Arc::new(SqliteStore::open(path, options, clock)?);
                Self { store: store.clone(), migrations: store.clone(), opened: Opened::Sqlite(store) }
            }
            DatabaseUrl::Postgres(url) => {
                let store = Arc::new(PostgresStore::new(url, options, clock));
                Self { store: store.clone(), migrations: store.clone(), opened: Opened::Postgres(store) }
            }
        })
    }

    /// Returns how the connection pool is used. On SQLite this is the pool of readers, because there is
    /// one writer.
    #[must_use]
    pub fn load(&self) -> PoolLoad {
        match &self.opened {
            Opened::Sqlite(store) => store.load(),
            Opened::Postgres(store) => store.load(),
        }
    }

    /// Queries the database's version and settings on a separate connection.
    ///
    /// # Errors
    /// Returns [`MigrateError`] if the database cannot be reached or queried.
    pub fn examine(&self) -> Result<DatabaseInfo, MigrateError> {
        match &self.opened {
            Opened::Sqlite(store) => Ok(store.examine()?),
            Opened::Postgres(store) => store.examine(),
        }
    }

    /// Counts the passkeys that were made for another RP ID than this one, so that they cannot be used. Scans the
    /// table.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the database cannot be reached or lacks the table.
    pub fn count_passkeys_of_other_rp_ids(&self, rp_id: &str) -> Result<u64, StoreError> {
        match &self.opened {
            Opened::Sqlite(store) => store.with_reader(|connection| count_of_other_rp_ids(connection, rp_id)),
            Opened::Postgres(store) => store.with_connection(|connection| count_of_other_rp_ids(connection, rp_id)),
        }
    }

    /// Copies the WAL of an SQLite file into the file, so that copying this one file is enough. The
    /// store can still be used afterwards. Does nothing on PostgreSQL.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the checkpoint fails. No data is lost, but the WAL file is still
    /// needed.
    pub fn checkpoint_on_shutdown(&self) -> Result<(), StoreError> {
        match &self.opened {
            Opened::Sqlite(store) => store.checkpoint(),
            Opened::Postgres(_) => Ok(()),
        }
    }
}

impl DatabaseUrl {
    /// Parses URLs of SQLAlchemy and libpq: `sqlite:///./app.db` (three slashes: relative, four:
    /// absolute), `sqlite://app.db`, `postgres://…`, `postgresql://…`, and each of them with a driver's
    /// name, as in `postgresql+psycopg2://…`.
    ///
    /// ```
    /// use portcullis_diesel::DatabaseUrl;
    /// assert_eq!(DatabaseUrl::parse("sqlite:////var/app.db"), Ok(DatabaseUrl::Sqlite("/var/app.db".into())));
    /// assert!(DatabaseUrl::parse("mysql://localhost/app").is_err());
    /// ```
    ///
    /// # Errors
    /// Returns [`DatabaseUrlError`] for any other scheme, and for a URL that can never work.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let unknown = DatabaseUrlError("expected sqlite:///path, postgres://… or postgresql://…");
        let (scheme, rest) = text.split_once("://").ok_or(unknown)?;
        if text.chars().any(char::is_control) {
            return Err(DatabaseUrlError("it has a control character"));
        }
        let scheme = scheme.to_ascii_lowercase();
        match scheme.split('+').next() {
            Some("sqlite") => Ok(Self::Sqlite(sqlite_path(rest)?)),
            Some("postgres" | "postgresql") => PostgresUrl::parse(rest).map(Self::Postgres),
            _ => Err(unknown),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, DatabaseUrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // SQLAlchemy passes these options to Python's driver. They have no meaning here.
    let known = |pair: &str| pair.is_empty() || pair.starts_with("check_same_thread=") || pair.starts_with("timeout=");
    if !query.split('&').all(known) {
        return Err(DatabaseUrlError("an SQLite URL takes no options"));
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    match path {
        "" | ":memory:" => Err(DatabaseUrlError("a database in memory would be lost at the end: name a file")),
        path if path.starts_with("file:") => Err(DatabaseUrlError("expected a path after sqlite:///")),
        path => Ok(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_is_read_as_sqlalchemy_reads_it() {
        for (url, path) in [
            ("sqlite:///./app.db", "./app.db"),
            ("sqlite:///app.db", "app.db"),
            ("sqlite:////srv/app.db", "/srv/app.db"),
            ("sqlite://app.db", "app.db"),
            ("SQLite+pysqlite:///a b%20.db", "a b%20.db"),
            ("sqlite:///app.db?check_same_thread=false&timeout=5", "app.db"),
        ] {
            assert_eq!(DatabaseUrl::parse(url), Ok(DatabaseUrl::Sqlite(path.into())), "{url}");
        }
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for url in ["", "app.db", "sqlite://", "sqlite:///:memory:", "sqlite:///file:a?uri=true", "mysql://h/d", "://"]
        {
            assert!(DatabaseUrl::parse(url).is_err(), "{url}");
        }
    }
}
