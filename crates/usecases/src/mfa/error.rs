//! Errors of the use cases for a user's own second factors.

use super::StepUpRequired;
use crate::failure::{Reason, UseCaseError};
use portcullis_domain::ErrorCode;

/// State of the account that does not permit the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorConflict {
    /// The account has the maximum number of authenticator apps.
    TooMany,
    /// The last factor stays, because the service requires one.
    Required,
}

impl FactorConflict {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::Required => "mfa_required",
        }
    }
}

/// Reason why a call about second factors was refused.
#[derive(Debug, thiserror::Error)]
pub enum MfaReason {
    /// The code is wrong or was used before.
    #[error("Wrong code, or used before")]
    WrongCode,
    /// The factor does not exist, is not the caller's, or can no longer be confirmed.
    #[error("Second factor not found")]
    NotFound,
    /// The trusted device does not exist, or is another account's.
    #[error("Trusted device not found")]
    DeviceNotFound,
    /// The user must authenticate again first.
    #[error(transparent)]
    StepUp(#[from] StepUpRequired),
    /// The account's state does not permit the call.
    #[error("{}", match .0 {
        FactorConflict::TooMany => "The account has too many authenticator apps",
        FactorConflict::Required => "The service requires a second factor",
    })]
    Conflict(FactorConflict),
    /// The account does not exist or is inactive, its session has ended, or an enrolment token was used.
    #[error("Token has been revoked")]
    Revoked,
    /// The login that an enrolment completes was refused.
    #[error(transparent)]
    LogIn(#[from] crate::login::LogInReason),
}

/// Error of a call about second factors.
pub type MfaError = UseCaseError<MfaReason>;

impl Reason for MfaReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::WrongCode => ErrorCode::InvalidCredentials,
            Self::NotFound | Self::DeviceNotFound => ErrorCode::NotFound,
            Self::StepUp(reason) => reason.code(),
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::Revoked => ErrorCode::TokenRevoked,
            Self::LogIn(reason) => reason.code(),
        }
    }
}
