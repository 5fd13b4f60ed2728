//! Errors of use cases that take a session.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_ports::StoreError;

/// Reason why a session is not available.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No session has that id, or it belongs to another user. The response is the same.
    #[error("No such session")]
    NotFound,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(SessionError: StoreError);

impl SessionError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Failed(failure) => failure.code(),
        }
    }
}
