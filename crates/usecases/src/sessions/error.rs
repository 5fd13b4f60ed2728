//! What goes wrong with a session that its owner asks for.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_ports::StoreError;

/// Why a session was not found, or nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is none with that identifier, or it is somebody else's: nobody is told which.
    #[error("No such session")]
    NotFound,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(SessionError: StoreError);

impl SessionError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Failed(failure) => failure.code(),
        }
    }
}
