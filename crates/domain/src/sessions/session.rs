//! A session, as states whose transitions can refuse.

use super::{DeviceHash, SessionId, SourceHash};
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
/// use portcullis_domain::{registration::UserId, sessions::{Session, SessionId, SessionPolicy, SessionState}};
/// let login = DateTime::UNIX_EPOCH;
/// let session = Session::begin(SessionId::from_random([1; 16]), UserId::new(1), login);
/// let policy = SessionPolicy::default();
/// assert_eq!(policy.state(&session, login + TimeDelta::days(29)), SessionState::Active);
/// assert_eq!(policy.state(&session, login + TimeDelta::days(30)), SessionState::Expired);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When the login, or the adoption, happened, in UTC.
    pub started_at: DateTime<Utc>,
    /// When it was ended, if it was, in UTC.
    pub ended_at: Option<DateTime<Utc>>,
    /// From which device the login came, if it has a number.
    pub device: Option<DeviceHash>,
    /// The source that the login came from, if it is to be known from now on.
    pub source: Option<SourceHash>,
}

impl Session {
    /// A session that begins.
    #[must_use]
    pub fn begin(id: SessionId, user_id: UserId, now: DateTime<Utc>) -> Self {
        Self { id, user_id, started_at: now, ended_at: None, device: None, source: None }
    }

    /// The session, begun from that device.
    #[must_use]
    pub fn with_device(self, device: Option<DeviceHash>) -> Self {
        Self { device, ..self }
    }

    /// The session, begun from that source.
    #[must_use]
    pub fn with_source(self, source: Option<SourceHash>) -> Self {
        Self { source, ..self }
    }

    /// Ends the session; the first end counts.
    #[must_use]
    pub fn end(self, now: DateTime<Utc>) -> Self {
        Self { ended_at: self.ended_at.or(Some(now)), ..self }
    }
}

/// How long sessions last, and how many an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long one lasts from its start, however often it was refreshed (OWASP ASVS 7.3.2);
    /// greater than zero.
    pub max_age: TimeDelta,
    /// How many of one account are active at most (OWASP ASVS 7.1.2); at least one.
    pub max_per_user: usize,
}

impl Default for SessionPolicy {
    /// 30 days, and 100 sessions.
    fn default() -> Self {
        Self { max_age: TimeDelta::days(30), max_per_user: 100 }
    }
}

impl SessionPolicy {
    /// A session that started at this moment or before is too old at `now`.
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

    /// When a session is too old.
    #[must_use]
    pub fn expires_at(&self, session: &Session) -> DateTime<Utc> {
        session.started_at.checked_add_signed(self.max_age).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The session's worth at `now`. An end outweighs age.
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
