//! A session: what a login starts, and what ends it.

use crate::registration::UserId;
use chrono::{DateTime, TimeDelta, Utc};

/// What a session is worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Its live refresh token refreshes.
    Active,
    /// Older than a session may get, however often it was refreshed.
    Expired,
    /// Ended by logout, by its owner, at theft, or with its account.
    Ended,
}

/// One line of refresh tokens, from a login to its end.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{registration::UserId, sessions::{Session, SessionState}};
/// let login = DateTime::UNIX_EPOCH;
/// let session = Session { user_id: UserId::new(1), started_at: login, ended_at: None };
/// let month = TimeDelta::days(30);
/// assert_eq!(session.state(login + TimeDelta::days(29), month), SessionState::Active);
/// assert_eq!(session.state(login + month, month), SessionState::Expired);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user_id: UserId,
    /// When the login, or the adoption, happened.
    pub started_at: DateTime<Utc>,
    /// When it was ended, if it was.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Session {
    /// The session's worth at `now`, where it may last `max_age` from its start
    /// (OWASP ASVS 7.3.2). An end outweighs age.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>, max_age: TimeDelta) -> SessionState {
        match self.ended_at {
            Some(_) => SessionState::Ended,
            None if now.signed_duration_since(self.started_at) >= max_age => SessionState::Expired,
            None => SessionState::Active,
        }
    }

    /// Ends the session; the first end counts.
    #[must_use]
    pub fn end(self, now: DateTime<Utc>) -> Self {
        Self { ended_at: self.ended_at.or(Some(now)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_counts_and_outweighs_age() {
        let at = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let session = Session { user_id: UserId::new(1), started_at: at(0), ended_at: None };
        let ended = session.end(at(1)).end(at(2));
        assert_eq!(ended.ended_at, Some(at(1)));
        assert_eq!(ended.state(at(99), TimeDelta::days(30)), SessionState::Ended);
    }
}
