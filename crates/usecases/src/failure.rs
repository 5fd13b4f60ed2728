//! Errors of use cases. A failed dependency (unavailable, busy or broken) stops a use case although the
//! caller did nothing wrong.

use crate::limits::{LimitError, RateLimited};
use portcullis_domain::ErrorCode;
use portcullis_ports::{HasherError, LimiterError, SealError, SigningError, StoreError};
use std::convert::Infallible;
use std::time::Duration;

/// Failure of a dependency.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password hasher failed or is overloaded.
    #[error(transparent)]
    Hasher(#[from] HasherError),
    /// The token signer failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The rate limiter failed. Calls that cannot be counted are refused.
    #[error(transparent)]
    Limiter(#[from] LimiterError),
    /// A stored secret could not be encrypted or decrypted.
    #[error(transparent)]
    Sealing(#[from] SealError),
}

impl DependencyError {
    /// Minimum delay, used if the dependency gives none.
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// Returns [`ErrorCode::Unavailable`] for failures that may pass, and for a corrupt row or an unreadable
    /// secret, which an operator can repair; [`ErrorCode::Internal`] for the rest.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Store(StoreError::Failed(_)) | Self::Hasher(HasherError::Failed(_)) | Self::Signing(_) => {
                ErrorCode::Internal
            }
            Self::Store(_) | Self::Hasher(HasherError::Busy { .. }) | Self::Limiter(_) | Self::Sealing(_) => {
                ErrorCode::Unavailable
            }
        }
    }

    /// Returns whether the only problem is that too many calls wait for a hash. An immediate retry
    /// would add to the load.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        matches!(self, Self::Hasher(HasherError::Busy { .. }))
    }

    /// Returns the delay before a retry, at least 1 s.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let known = match self {
            Self::Store(StoreError::CircuitOpen { retry_after }) | Self::Hasher(HasherError::Busy { retry_after }) => {
                *retry_after
            }
            _ => Duration::ZERO,
        };
        known.max(Self::RETRY_AFTER)
    }
}

/// Reason why a use case refuses a call, with a stable code and a message for the client.
pub trait Reason: std::error::Error + 'static {
    /// Returns the stable error code.
    fn code(&self) -> ErrorCode;
}

/// The only possible errors are a spent budget and a failed dependency.
impl Reason for Infallible {
    fn code(&self) -> ErrorCode {
        match *self {}
    }
}

/// Error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError<R: Reason> {
    /// The use case refused the call.
    #[error(transparent)]
    Refused(R),
    /// A budget is spent. Checked before anything is looked up.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

impl<R: Reason> UseCaseError<R> {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(reason) => reason.code(),
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }

    /// Converts the reason of a refusal.
    pub(crate) fn convert<T: Reason + From<R>>(self) -> UseCaseError<T> {
        match self {
            Self::Refused(reason) => UseCaseError::Refused(reason.into()),
            Self::Limited(limited) => UseCaseError::Limited(limited),
            Self::Failed(failure) => UseCaseError::Failed(failure),
        }
    }
}

impl<R: Reason> From<R> for UseCaseError<R> {
    fn from(reason: R) -> Self {
        Self::Refused(reason)
    }
}

impl<R: Reason> From<LimitError> for UseCaseError<R> {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(error) => Self::Failed(error.into()),
        }
    }
}

impl<R: Reason> From<DependencyError> for UseCaseError<R> {
    fn from(failure: DependencyError) -> Self {
        Self::Failed(failure)
    }
}

impl<R: Reason> From<StoreError> for UseCaseError<R> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl<R: Reason> From<HasherError> for UseCaseError<R> {
    fn from(error: HasherError) -> Self {
        Self::Failed(error.into())
    }
}

impl<R: Reason> From<SigningError> for UseCaseError<R> {
    fn from(error: SigningError) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_says_when_to_come_back() {
        let open = StoreError::CircuitOpen { retry_after: Duration::from_secs(7) };
        assert_eq!(DependencyError::from(open.clone()).code(), ErrorCode::Unavailable);
        assert_eq!(DependencyError::from(open).retry_after(), Duration::from_secs(7));
        let busy = DependencyError::from(StoreError::Busy(String::new()));
        assert_eq!((busy.code(), busy.retry_after()), (ErrorCode::Unavailable, Duration::from_secs(1)));
        let crowded = DependencyError::from(HasherError::Busy { retry_after: Duration::ZERO });
        assert!(crowded.is_overloaded() && !busy.is_overloaded());
        assert_eq!(DependencyError::from(StoreError::Failed(String::new())).code(), ErrorCode::Internal);
    }
}
