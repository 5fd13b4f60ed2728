//! Errors of use cases for operators that take an account.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::UserId;
use portcullis_ports::StoreError;

/// Reason why an operation on an account failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No account has that id or email.
    #[error("no such account")]
    NotFound,
    /// Several accounts have that email in spellings that differ only by case, and none has it exactly.
    #[error("several accounts have that email in other spellings: {}", listed(.0))]
    Ambiguous(Vec<UserId>),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(AccountError: StoreError);

fn listed(ids: &[UserId]) -> String {
    ids.iter().map(UserId::to_string).collect::<Vec<_>>().join(", ")
}

impl AccountError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Ambiguous(_) => ErrorCode::Conflict,
            Self::Failed(failure) => failure.code(),
        }
    }
}
