//! What goes wrong outside a transaction: opening, and migrating.

use std::path::PathBuf;

/// Why a store could not be opened. One line each, fit to be shown at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the database file is not there.
    #[error("the folder of the database file {} does not exist", .0.display())]
    NoFolder(PathBuf),
    /// The file cannot be made, read or written.
    #[error("the database file {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite says.
        reason: String,
    },
    /// The file is no database, or a damaged one. It was not written to.
    #[error("the database file {} is damaged or no SQLite database: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
}

/// Why migrating, or asking for its state, failed. One line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database cannot be reached: worth another try.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Somebody else holds the database, maybe to migrate it: worth another try.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// A newer program made the schema.
    #[error("the database has migration {0}, which this version does not know: run the newer version")]
    SchemaTooNew(String),
    /// What `DATABASE_URL` says can never work. Holds no secret of it.
    #[error("DATABASE_URL: {0}")]
    Url(String),
    /// The tables cannot be adopted, and were not changed.
    #[error("the database cannot be adopted, and nothing was changed: {0}")]
    Unfit(String),
    /// A migration failed, and nothing of it was kept.
    #[error("migrating the database failed: {0}")]
    Failed(String),
}

impl MigrateError {
    /// Whether another try may succeed with nothing changed but the time.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }
}

impl From<portcullis_ports::StoreError> for MigrateError {
    fn from(error: portcullis_ports::StoreError) -> Self {
        use portcullis_ports::StoreError;
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable(reason),
            StoreError::Busy(reason) => Self::Busy(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}
