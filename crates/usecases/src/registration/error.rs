//! Errors of use cases for operators that take an account.

use crate::failure::{Reason, UseCaseError};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::UserId;

/// Reason why an operation on an account is refused.
#[derive(Debug, thiserror::Error)]
pub enum AccountReason {
    /// No account has that id or email.
    #[error("no such account")]
    NotFound,
    /// Several accounts have that email in spellings that differ only by case, and none has it exactly.
    #[error("several accounts have that email in other spellings: {}", listed(.0))]
    Ambiguous(Vec<UserId>),
    /// The new password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
}

/// Error of an operation on an account.
pub type AccountError = UseCaseError<AccountReason>;

fn listed(ids: &[UserId]) -> String {
    ids.iter().map(UserId::to_string).collect::<Vec<_>>().join(", ")
}

impl Reason for AccountReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Ambiguous(_) => ErrorCode::Conflict,
            Self::CommonPassword => ErrorCode::Validation,
        }
    }
}
