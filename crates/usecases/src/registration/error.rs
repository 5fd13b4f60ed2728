//! What goes wrong with an account that an operator names.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::UserId;
use portcullis_ports::StoreError;

/// Why nothing was done to an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is none with that number or address.
    #[error("no such account")]
    NotFound,
    /// Several have that address in spellings that differ by case alone, and none the one given.
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
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Ambiguous(_) => ErrorCode::Conflict,
            Self::Failed(failure) => failure.code(),
        }
    }
}
