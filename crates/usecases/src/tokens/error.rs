//! Error of all use cases that take a token.

use crate::failure::DependencyError;
use portcullis_domain::ErrorCode;
use portcullis_domain::tokens::TokenRejection;
use portcullis_ports::{InvalidToken, SigningError, StoreError};

/// Reason why a token was refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, of the wrong kind, or unknown to the store.
    #[error("Invalid token")]
    Invalid,
    /// Expired.
    #[error("Token has expired")]
    Expired,
    /// Spent or revoked, or its account is inactive.
    #[error("Token has been revoked")]
    Revoked,
    /// Spent a moment ago, probably by the owner in a race. Same response as
    /// [`Revoked`](Self::Revoked).
    #[error("Token has been revoked")]
    Raced,
    /// The token is valid, but the account's email must be verified first. It is not spent.
    #[error("Email address is not verified")]
    EmailUnverified,
    /// A dependency failed, so the token was not judged.
    #[error(transparent)]
    Failed(DependencyError),
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<SigningError> for TokenError {
    fn from(error: SigningError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<InvalidToken> for TokenError {
    fn from(InvalidToken: InvalidToken) -> Self {
        Self::Invalid
    }
}

impl From<TokenRejection> for TokenError {
    fn from(rejection: TokenRejection) -> Self {
        match rejection {
            TokenRejection::Expired => Self::Expired,
            TokenRejection::WrongKind => Self::Invalid,
        }
    }
}

impl TokenError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::TokenInvalid,
            Self::Expired => ErrorCode::TokenExpired,
            Self::Revoked | Self::Raced => ErrorCode::TokenRevoked,
            Self::EmailUnverified => ErrorCode::EmailUnverified,
            Self::Failed(failure) => failure.code(),
        }
    }
}
