//! How a session ends.

use super::ClientInfo;
use chrono::{DateTime, Utc};

/// What ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// A logout, of this session or of all.
    LogOut,
    /// Its owner, from a list of sessions, or an operator.
    Revoked,
    /// A spent token that was shown again.
    Theft,
    /// A login of its account that had as many sessions as it may.
    Evicted,
    /// Its account, which was switched off.
    Disabled,
    /// A new password of its account.
    PasswordChanged,
    /// Another address of its account.
    EmailChanged,
    /// The first verification of its account's address, which it came before.
    EmailVerified,
}

impl EndReason {
    /// The stored spelling.
    ///
    /// ```
    /// assert_eq!(portcullis_domain::sessions::EndReason::Theft.as_str(), "theft");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogOut => "logout",
            Self::Revoked => "revoked",
            Self::Theft => "theft",
            Self::Evicted => "evicted",
            Self::Disabled => "disabled",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::EmailVerified => "email_verified",
        }
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEnd {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// By what.
    pub reason: EndReason,
    /// From where.
    pub client: ClientInfo,
}
