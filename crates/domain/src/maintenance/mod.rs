//! What is kept for how long. Deleting what is not is left to the store.

use chrono::{DateTime, TimeDelta, Utc};

/// How long the row of a refresh token is kept.
///
/// A spent or revoked token is kept as long as a live one: while it could still be shown, its row
/// is what tells a theft from a token that nobody knows (RFC 9700 §4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long beyond its expiry, at least zero: room for clocks that differ.
    pub after_expiry: TimeDelta,
}

impl Default for Retention {
    /// Five minutes.
    fn default() -> Self {
        Self { after_expiry: TimeDelta::minutes(5) }
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
    /// assert_eq!(Retention::default().dead_by(now), now - TimeDelta::minutes(5));
    /// ```
    #[must_use]
    pub fn dead_by(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_sub_signed(self.after_expiry).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}
