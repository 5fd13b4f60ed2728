//! Timeline of a session: its events, each with time and client.

use super::{ClientInfo, EndReason};
use crate::tokens::Verdict;
use chrono::{DateTime, Utc};

/// Kind of a session event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Start of the session.
    LogIn,
    /// [`Verdict::Rotated`].
    Rotated,
    /// [`Verdict::Retried`].
    Retried,
    /// [`Verdict::Overlapped`].
    Overlapped,
    /// [`Verdict::Raced`].
    Raced,
    /// [`Verdict::Theft`], which ended the session.
    Theft,
    /// [`Verdict::Ended`]: a token was presented after the session had ended.
    Ended,
    /// [`Verdict::Expired`]: an expired token was presented.
    Expired,
    /// Ended by a logout.
    LogOut,
    /// Ended by its owner or an operator.
    Revoked,
    /// Ended to make room for another session.
    Evicted,
    /// Ended because the account was disabled.
    Disabled,
    /// Password changed, which ends every session except the one that requested it.
    PasswordChanged,
    /// Email address changed.
    EmailChanged,
    /// Ended because the email address was verified for the first time, after this session had started.
    EmailVerified,
    /// Ended because the owner of the unverified email address took the account over with a provider.
    Reclaimed,
    /// Ended because the account got its first second factor.
    MfaEnabled,
    /// Ended because the owner removed the account's last second factor.
    MfaDisabled,
    /// Ended because an operator removed the account's second factors.
    MfaReset,
}

impl EventKind {
    /// Maximum number of stored events per session of each [repeatable](Self::is_repeatable) kind.
    /// Further ones are only logged, so that presenting a dead token again and again cannot fill the
    /// disk.
    pub const MAX_EVENTS_PER_KIND: usize = 100;

    const ALL: [Self; 19] = [
        Self::LogIn,
        Self::Rotated,
        Self::Retried,
        Self::Overlapped,
        Self::Raced,
        Self::Theft,
        Self::Ended,
        Self::Expired,
        Self::LogOut,
        Self::Revoked,
        Self::Evicted,
        Self::Disabled,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::EmailVerified,
        Self::Reclaimed,
        Self::MfaEnabled,
        Self::MfaDisabled,
        Self::MfaReset,
    ];

    /// Returns the name used in the database and shown to the session's owner.
    ///
    /// ```
    /// use portcullis_domain::sessions::EventKind;
    /// assert_eq!(EventKind::Rotated.as_str(), "rotated");
    /// assert_eq!(EventKind::parse("rotated"), Some(EventKind::Rotated));
    /// assert_eq!(EventKind::parse("Rotated"), None);
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::Rotated => "rotated",
            Self::Retried => "retried",
            Self::Overlapped => "overlapped",
            Self::Raced => "raced",
            Self::Theft => "theft",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::LogOut => "logout",
            Self::Revoked => "revoked",
            Self::Evicted => "evicted",
            Self::Disabled => "disabled",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::EmailVerified => "email_verified",
            Self::Reclaimed => "reclaimed",
            Self::MfaEnabled => "mfa_enabled",
            Self::MfaDisabled => "mfa_disabled",
            Self::MfaReset => "mfa_reset",
        }
    }

    /// Parses the name used in the database. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Returns whether the event can occur any number of times without changing the session.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::Retried | Self::Overlapped | Self::Raced | Self::Ended | Self::Expired)
    }

    /// Returns whether the event counts as a use of the session: a login or a successful refresh.
    #[must_use]
    pub const fn counts_as_use(self) -> bool {
        matches!(self, Self::LogIn | Self::Rotated | Self::Retried | Self::Overlapped)
    }
}

impl From<Verdict> for EventKind {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Rotated => Self::Rotated,
            Verdict::Retried(_) => Self::Retried,
            Verdict::Overlapped(_) => Self::Overlapped,
            Verdict::Raced => Self::Raced,
            Verdict::Theft => Self::Theft,
            Verdict::Ended => Self::Ended,
            Verdict::Expired => Self::Expired,
        }
    }
}

impl From<EndReason> for EventKind {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::LogOut => Self::LogOut,
            EndReason::Revoked => Self::Revoked,
            EndReason::Theft => Self::Theft,
            EndReason::Evicted => Self::Evicted,
            EndReason::Disabled => Self::Disabled,
            EndReason::PasswordChanged => Self::PasswordChanged,
            EndReason::EmailChanged => Self::EmailChanged,
            EndReason::EmailVerified => Self::EmailVerified,
            EndReason::Reclaimed => Self::Reclaimed,
            EndReason::MfaEnabled => Self::MfaEnabled,
            EndReason::MfaDisabled => Self::MfaDisabled,
            EndReason::MfaReset => Self::MfaReset,
        }
    }
}

/// Event in the timeline of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvent {
    /// Time, in UTC.
    pub at: DateTime<Utc>,
    /// Kind.
    pub kind: EventKind,
    /// Client that caused it.
    pub client: ClientInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_its_own() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }
}
