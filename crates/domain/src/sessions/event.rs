//! The timeline of a session: what happened to it, when and from where.

use super::{ClientInfo, EndReason};
use crate::tokens::Verdict;
use chrono::{DateTime, Utc};

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It began.
    LogIn,
    /// [`Verdict::Rotated`].
    Rotated,
    /// [`Verdict::Retried`].
    Retried,
    /// [`Verdict::Overlapped`].
    Overlapped,
    /// [`Verdict::Raced`].
    Raced,
    /// [`Verdict::Theft`], which ended it.
    Theft,
    /// [`Verdict::ExitedService`]: a token of it was shown after its end.
    Ended,
    /// [`Verdict::Expired`]: a token of it was shown after its time.
    Expired,
    /// It was ended by a logout.
    LogOut,
    /// It was ended by its owner, or by an operator.
    Revoked,
    /// It was ended to make room for another.
    Evicted,
    /// It was ended with its account, which was switched off.
    Disabled,
    /// Its account got a new password, which ends every session but the one that asks for it.
    PasswordChanged,
    /// Its account got another address.
    EmailChanged,
    /// The address of its account was verified, for the first time, and it began before.
    EmailVerified,
}

impl EventKind {
    /// How many events of one kind a session keeps, where anybody can cause any number: from then
    /// on the log alone tells of them, so that showing a dead token for ever fills no disk.
    pub const MAX_EVENTS_PER_KIND: usize = 100;

    const ALL: [Self; 15] = [
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
    ];

    /// The stored spelling, which is also told to the session's owner.
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
        }
    }

    /// Reads the stored spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it can come again and again with nothing changed by it.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::Retried | Self::Overlapped | Self::Raced | Self::Ended | Self::Expired)
    }

    /// Whether somebody used the session by it, and was not refused.
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
        }
    }
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvent {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// From where.
    pub client: ClientInfo,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Jti;

    #[test]
    fn every_spelling_is_its_own() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn an_event_is_called_what_its_cause_is_called() {
        let jti = Jti::from_random([1; 16]);
        for verdict in [
            Verdict::Rotated,
            Verdict::Retried(jti),
            Verdict::Overlapped(jti),
            Verdict::Raced,
            Verdict::Theft,
            Verdict::Ended,
            Verdict::Expired,
        ] {
            assert_eq!(EventKind::from(verdict).as_str(), verdict.as_str());
        }
        for reason in [
            EndReason::LogOut,
            EndReason::Revoked,
            EndReason::Theft,
            EndReason::Evicted,
            EndReason::Disabled,
            EndReason::PasswordChanged,
            EndReason::EmailChanged,
            EndReason::EmailVerified,
        ] {
            assert_eq!(EventKind::from(reason).as_str(), reason.as_str());
        }
    }
}
