//! Errors outside a transaction: parsing a URL, opening a database, and migrating it.

use std::path::PathBuf;

/// Reason why a text is not a valid `DATABASE_URL`. Contains none of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseUrlError(pub(crate) &'static str);

/// Reason why a store could not be opened. One line, suitable as a startup error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the database file does not exist.
    #[error("the folder of the database file {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// The file cannot be created, read or written.
    #[error("the database file {} cannot be used: {reason}", path.display())]
    Unusable {
        /// Path of the file.
        path: PathBuf,
        /// Message of the operating system or SQLite.
        reason: String,
    },
    /// The file is damaged or not a database. It was not written to.
    #[error("the database file {} is damaged or no SQLite database: {reason}", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// SQLite's message.
        reason: String,
    },
}

/// Reason why migrating, or querying the migration status, failed. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database cannot be reached. A retry may succeed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Another process holds a lock on the database, maybe to migrate it. A retry may succeed.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The schema is from a newer version of this program.
    #[error("the database has migration {0}, which this version does not know: run the newer version")]
    SchemaTooNew(String),
    /// The `DATABASE_URL` can never work. Contains none of its secrets.
    #[error("DATABASE_URL: {0}")]
    Url(String),
    /// The tables cannot be adopted. They were not changed.
    #[error("the database cannot be adopted, and nothing was changed: {0}")]
    Unfit(String),
    /// A migration failed and was rolled back.
    #[error("migrating the database failed: {0}")]
    Failed(String),
}

impl MigrateError {
    /// Returns whether a retry may succeed without any other change.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }
}

impl From<portcullis_ports::StoreError> for MigrateError {
    fn from(error: portcullis_ports::StoreError) -> Self {
        use portcullis_ports::StoreError;
        match error {
            // A standby may be promoted.
            StoreError::Unavailable(reason) | StoreError::Unwritable(reason) => Self::Unavailable(reason),
            StoreError::Busy(reason) => Self::Busy(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}
