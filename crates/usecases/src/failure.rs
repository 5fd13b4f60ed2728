//! What keeps a verb from its work though the caller did nothing wrong: a dependency that is
//! gone, busy or broken. One type for all verbs.

use portcullis_domain::ErrorCode;
use portcullis_ports::{HasherError, LimiterError, SigningError, StoreError};
use std::time::Duration;

/// A dependency did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password hasher.
    #[error(transparent)]
    Hasher(#[from] HasherError),
    /// The signer of tokens.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The rate limiter: what cannot be counted is not done.
    #[error(transparent)]
    Limiter(#[from] LimiterError),
}

impl DependencyError {
    /// How long to wait before a try makes sense, where nothing better is known.
    const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// [`ErrorCode::Unavailable`] for what may pass, and for a damaged row, which an operator can
    /// mend; [`ErrorCode::Internal`] for what will not.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Store(StoreError::Failed(_)) | Self::Hasher(HasherError::Failed(_)) | Self::Signing(_) => {
                ErrorCode::Internal
            }
            Self::Store(_) | Self::Hasher(HasherError::Busy { .. }) | Self::Limiter(_) => ErrorCode::Unavailable,
        }
    }

    /// Whether nothing is wrong but that too many want a hash. Who comes back at once makes it
    /// worse.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        matches!(self, Self::Hasher(HasherError::Busy { .. }))
    }

    /// How long a caller should wait before it tries again; at least a second.
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

/// Lets `?` turn any port's error into a verb's.
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
