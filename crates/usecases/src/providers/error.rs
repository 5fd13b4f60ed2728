//! Errors of calls to providers.

use crate::LOG;
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{ProviderName, SignInError};
use portcullis_ports::ProviderError;

/// Reason why a call to a provider failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderReason {
    /// No provider has this name.
    #[error("Provider not found")]
    Unknown,
    /// The provider sent no response, an error or an oversized response.
    #[error("The provider is unavailable")]
    Unavailable,
    /// The provider's response or ID token is not valid.
    #[error("Invalid token")]
    Rejected,
}

impl crate::Reason for ProviderReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::NotFound,
            Self::Unavailable => ErrorCode::Unavailable,
            Self::Rejected => ErrorCode::TokenInvalid,
        }
    }
}

impl From<ProviderReason> for SignInError {
    fn from(reason: ProviderReason) -> Self {
        match reason {
            ProviderReason::Unavailable => Self::ProviderUnavailable,
            ProviderReason::Unknown | ProviderReason::Rejected => Self::ServerError,
        }
    }
}

/// Logs a failed call to a provider and returns its reason.
pub(super) fn log_failure(provider: &ProviderName, error: &ProviderError) -> ProviderReason {
    tracing::warn!(target: LOG, provider = provider.as_str(), %error, "Sign-in with provider failed");
    match error {
        ProviderError::Unavailable(_) => ProviderReason::Unavailable,
        _ => ProviderReason::Rejected,
    }
}
