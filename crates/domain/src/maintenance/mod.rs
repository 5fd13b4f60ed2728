//! What is kept for how long. Deleting what is not is left to the store.

use chrono::{DateTime, TimeDelta, Utc};

/// How long rows are kept.
///
///
/// A spent or revoked token is kept as long as a live one: while it could still be shown, its row
/// is what tells a theft from a token that nobody knows (RFC 9700 §4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long beyond its expiry, at least zero: room for clocks that differ.
    pub after_expiry: TimeDelta,
    /// How long a session, with its timeline, beyond its end or the age that none may have; a
    /// one-time token beyond its expiry, so that it is told apart from one that nobody knows; and a
    /// mail that was given up; at least zero.
    pub after_session: TimeDelta,
}

impl Default for Retention {
    /// Five minutes for tokens, 30 days for sessions.
    fn default() -> Self {
        Self { after_expiry: TimeDelta::minutes(5), after_session: TimeDelta::days(30) }
    }
}

impl Retention {
    /// A token that expired at this moment or before it can no longer be shown, wherever the
    /// clock of whoever is shown it stands: its row may go.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::maintenance::Retention;
    /// let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    /// assert_eq!(Retention::default().token_cutoff(now), now - TimeDelta::minutes(5));
    /// ```
    #[must_use]
    pub fn token_cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_sub_signed(self.after_expiry).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// A session that ended at this moment or before is no longer kept, nor one that was too old
    /// by then.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::maintenance::Retention;
    /// let now = DateTime::UNIX_EPOCH + TimeDelta::days(90);
    /// assert_eq!(Retention::default().session_cutoff(now), now - TimeDelta::days(30));
    /// ```
    #[must_use]
    pub fn session_cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_sub_signed(self.after_session).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}
