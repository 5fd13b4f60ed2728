//! Failures of dependencies that stop a use case although the caller did nothing wrong: unavailable,
//! busy or broken. One type for all use cases.

use portcullis_domain::ErrorCode;
use portcullis_ports::{HasherError, LimiterError, SigningError, StoreError};
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
}

impl DependencyError {
    /// Minimum delay, used if the dependency gives none.
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// Returns [`ErrorCode::Unavailable`] for failures that may pass, and for a corrupt row, which an
    /// operator can repair; [`ErrorCode::Internal`] for the rest.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Store(StoreError::Failed(_)) | Self::Hasher(HasherError::Failed(_)) | Self::Signing(_) => {
                ErrorCode::Internal
            }
            Self::Store(_) | Self::Hasher(HasherError::Busy { .. }) | Self::Limiter(_) => ErrorCode::Unavailable,
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

/// Lets `?` convert port errors to the error of a use case.
macro_rules! from_dependency_errors {
    ($error:ty: $($source:ty),+) => {$(
        impl From<$source> for $error {
            fn from(source: $source) -> Self {
                Self::Failed(source.into())
            }
        }
    )+};
}
pub(crate) use from_dependency_errors;

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
