//! Step-up authentication: whether a session's user was authenticated recently and strongly enough for
//! a sensitive call (RFC 9470).

use super::Authentication;
use crate::tokens::MAX_IAT_SKEW;
use chrono::{DateTime, TimeDelta, Utc};

/// Condition of a sensitive call.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::login::{Authentication, Method, Methods, StepUpPolicy};
/// let (policy, login) = (StepUpPolicy::default(), DateTime::UNIX_EPOCH);
/// let password = Authentication::new(Method::Password.into(), login);
/// assert!(policy.is_recent(Some(&password), false, login + TimeDelta::minutes(10)));
/// assert!(!policy.is_recent(Some(&password), false, login + TimeDelta::seconds(601)));
/// assert!(!policy.is_recent(Some(&password), true, login), "the account has a second factor");
/// assert!(!policy.is_recent(Some(&password), false, login - TimeDelta::minutes(2)), "in the future");
/// assert!(!policy.is_recent(None, false, login), "never recorded");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepUpPolicy {
    /// Maximum age of the authentication. Default: 10 minutes.
    pub max_age: TimeDelta,
}

impl Default for StepUpPolicy {
    fn default() -> Self {
        Self { max_age: TimeDelta::minutes(10) }
    }
}

impl StepUpPolicy {
    /// Returns whether the last authentication is recent at `now`. If the account has a `second_factor`, it
    /// must have used one. Allows for clock skew of up to [`MAX_IAT_SKEW`] into the future.
    #[must_use]
    pub fn is_recent(&self, last: Option<&Authentication>, second_factor: bool, now: DateTime<Utc>) -> bool {
        last.is_some_and(|last| {
            let strong = last.methods.are_multi_factor() || !second_factor;
            let age = now.signed_duration_since(last.at);
            strong && age <= self.max_age && age >= -MAX_IAT_SKEW
        })
    }
}
