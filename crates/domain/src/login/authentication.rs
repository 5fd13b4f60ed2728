//! When and how the user of a session was last authenticated.

use super::{Method, Methods};
use chrono::{DateTime, SubsecRound, Utc};

/// An authentication. Tokens carry it as `amr` and `auth_time` (RFC 8176, OpenID Connect Core §2).
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::login::{Authentication, Method};
/// let now = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_500);
/// let password = Authentication::new(Method::Password.into(), now);
/// assert_eq!(password.at, DateTime::UNIX_EPOCH + TimeDelta::seconds(1));
/// assert!(password.is_password_alone());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication {
    /// Methods that were used.
    pub methods: Methods,
    /// Time in UTC, in whole seconds.
    pub at: DateTime<Utc>,
}

impl Authentication {
    /// Creates an authentication at `now`, rounded down to whole seconds.
    #[must_use]
    pub fn new(methods: Methods, now: DateTime<Utc>) -> Self {
        Self { methods, at: now.trunc_subsecs(0) }
    }

    /// Returns whether only the password was used.
    #[must_use]
    pub fn is_password_alone(&self) -> bool {
        self.methods == Methods::from(Method::Password)
    }
}
