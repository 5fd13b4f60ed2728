//! Sessions, and the limits on their age and number.

use super::{DeviceHash, SessionId, SourceHash};
use crate::login::Authentication;
use crate::registration::UserId;
use crate::tokens::TokenSession;
use chrono::{DateTime, TimeDelta, Utc};

/// State of a session at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum SessionState {
    /// Its live refresh token can be exchanged.
    Active,
    /// Older than the maximum session age, regardless of refreshes.
    Expired,
    /// Ended by logout, revocation, theft, or a change of the account.
    Ended,
}

/// Session: the token family from a login to its end.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::registration::UserId;
/// use portcullis_domain::sessions::{Session, SessionId, SessionPolicy, SessionState};
/// let login = DateTime::UNIX_EPOCH;
/// let session = Session::begin(SessionId::from_random([1; 16]), UserId::new(1), login);
/// let policy = SessionPolicy::default();
/// assert_eq!(policy.state(&session, login + TimeDelta::days(29)), SessionState::Active);
/// assert_eq!(policy.state(&session, login + TimeDelta::days(30)), SessionState::Expired);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id.
    pub id: SessionId,
    /// Account.
    pub user_id: UserId,
    /// Time of the login or adoption, in UTC.
    pub started_at: DateTime<Utc>,
    /// Time when the session was ended, in UTC; `None` if it was not.
    pub ended_at: Option<DateTime<Utc>>,
    /// Device of the login, if it has a device id.
    pub device: Option<DeviceHash>,
    /// Source of the login, if later logins may treat it as known.
    pub source: Option<SourceHash>,
    /// Last authentication of its user; `None` for an adopted session and for those of releases that
    /// did not record it.
    pub authentication: Option<Authentication>,
}

impl Session {
    /// Creates an active session that starts at `now`.
    #[must_use]
    pub fn begin(id: SessionId, user_id: UserId, now: DateTime<Utc>) -> Self {
        Self { id, user_id, started_at: now, ended_at: None, device: None, source: None, authentication: None }
    }

    /// Sets the device of the login.
    #[must_use]
    pub fn with_device(self, device: Option<DeviceHash>) -> Self {
        Self { device, ..self }
    }

    /// Sets the source of the login.
    #[must_use]
    pub fn with_source(self, source: Option<SourceHash>) -> Self {
        Self { source, ..self }
    }

    /// Sets the authentication of its user.
    #[must_use]
    pub fn with_authentication(self, authentication: Authentication) -> Self {
        Self { authentication: Some(authentication), ..self }
    }

    /// Ends the session. Keeps the time of an earlier end.
    #[must_use]
    pub fn end(self, now: DateTime<Utc>) -> Self {
        Self { ended_at: self.ended_at.or(Some(now)), ..self }
    }
}

/// Session limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Maximum age from the start, regardless of refreshes (OWASP ASVS 7.3.2). Greater than zero.
    pub max_age: TimeDelta,
    /// Maximum number of active sessions per account (OWASP ASVS 7.1.2). At least 1.
    pub max_per_user: usize,
}

impl Default for SessionPolicy {
    /// Returns 30 days and 100 sessions.
    fn default() -> Self {
        Self { max_age: TimeDelta::days(30), max_per_user: 100 }
    }
}

impl SessionPolicy {
    /// Returns the cutoff for session age: at `now`, sessions that started at or before it have
    /// expired.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::sessions::SessionPolicy;
    /// let now = DateTime::UNIX_EPOCH + TimeDelta::days(31);
    /// assert_eq!(SessionPolicy::default().max_age_cutoff(now), now - TimeDelta::days(30));
    /// ```
    #[must_use]
    pub fn max_age_cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_sub_signed(self.max_age).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Returns the time when a session expires.
    #[must_use]
    pub fn expires_at(&self, session: &Session) -> DateTime<Utc> {
        session.started_at.checked_add_signed(self.max_age).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Returns what the verdict on a token of the session depends on.
    #[must_use]
    pub fn token_session(&self, session: &Session, now: DateTime<Utc>) -> TokenSession {
        TokenSession { user_id: session.user_id, state: self.state(session, now) }
    }

    /// Returns the state of a session at `now`. An ended session is never reported as expired.
    #[must_use]
    pub fn state(&self, session: &Session, now: DateTime<Utc>) -> SessionState {
        match session.ended_at {
            Some(_) => SessionState::Ended,
            None if session.started_at <= self.max_age_cutoff(now) => SessionState::Expired,
            None => SessionState::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_counts_and_outweighs_age() {
        let at = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let session = Session::begin(SessionId::from_random([1; 16]), UserId::new(1), at(0));
        let ended = session.end(at(1)).end(at(2));
        assert_eq!(ended.ended_at, Some(at(1)));
        assert_eq!(SessionPolicy::default().state(&ended, at(99)), SessionState::Ended);
    }

    #[test]
    fn the_end_of_a_session_is_when_it_is_too_old() {
        let start = DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1);
        let session = Session::begin(SessionId::from_random([1; 16]), UserId::new(1), start);
        let policy = SessionPolicy { max_age: TimeDelta::days(1), ..SessionPolicy::default() };
        let end = policy.expires_at(&session);
        assert_eq!(policy.state(&session, end), SessionState::Expired);
        assert_eq!(policy.state(&session, end - TimeDelta::nanoseconds(1)), SessionState::Active);
    }

    #[test]
    fn no_clock_and_no_age_overflow() {
        let eternal = SessionPolicy { max_age: TimeDelta::MAX, ..SessionPolicy::default() };
        let session = Session::begin(SessionId::from_random([1; 16]), UserId::new(1), DateTime::<Utc>::MAX_UTC);
        assert_eq!(eternal.state(&session, DateTime::<Utc>::MIN_UTC), SessionState::Active);
        assert_eq!(eternal.expires_at(&session), DateTime::<Utc>::MAX_UTC);
    }
}
