//! End of a session and its reason.

use super::{ClientInfo, EventKind};
use chrono::{DateTime, Utc};

/// Reason why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Logout of this session or of all sessions.
    LogOut,
    /// Revoked by its owner from the list of sessions, or by an operator.
    Revoked,
    /// A spent refresh token was presented again.
    Theft,
    /// A new login exceeded the maximum number of sessions per account.
    Evicted,
    /// The account was disabled.
    Disabled,
    /// The password was changed.
    PasswordChanged,
    /// The email address was changed.
    EmailChanged,
    /// The email address was verified for the first time, after this session had started.
    EmailVerified,
    /// The owner of the unverified email address took the account over with a provider.
    Reclaimed,
    /// The account got its first second factor.
    MfaEnabled,
    /// The owner removed the account's last second factor.
    MfaDisabled,
    /// An operator removed the account's second factors.
    MfaReset,
}

impl EndReason {
    /// Returns the name used in the database.
    ///
    /// ```
    /// assert_eq!(portcullis_domain::sessions::EndReason::Theft.as_str(), "theft");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        EventKind::from(self).as_str()
    }
}

/// End of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEnd {
    /// Time, in UTC.
    pub at: DateTime<Utc>,
    /// Reason.
    pub reason: EndReason,
    /// Client that caused it.
    pub client: ClientInfo,
}
