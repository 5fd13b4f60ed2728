//! What is wrong with a token that was shown: one type for every verb that takes one.

use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_domain::tokens::TokenRejection;
use portcullis_ports::{InvalidToken, SigningError, StoreError};

/// Why a token was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, of the wrong kind, or unknown to the store.
    #[error("Invalid token")]
    Invalid,
    /// Past its time.
    #[error("Token has expired")]
    Expired,
    /// Spent or revoked, or its account is inactive.
    #[error("Token has been revoked")]
    Revoked,
    /// Spent a moment ago: likely by its owner, in a race. Told like [`Revoked`](Self::Revoked).
    #[error("Token has been revoked")]
    Raced,
    /// The token is good, and nobody gets new ones before the account's address is verified. It is
    /// not spent.
    #[error("Email address is not verified")]
    EmailUnverified,
    /// A dependency failed: nothing is known of the token.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(TokenError: StoreError, SigningError);

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
    /// The stable code of the error.
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
