//! Retention of database rows. The purge deletes rows past the cutoffs returned here.

use crate::mfa::PENDING_FACTOR_LIFETIME;
use chrono::{DateTime, TimeDelta, Utc};

/// Retention periods.
///
/// Spent and revoked tokens are kept as long as live ones. Their rows distinguish a theft from an
/// unknown token (RFC 9700 §4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Retention of a token, a pending second factor, a trusted device, a used challenge or a sign-in under
    /// way after its expiry, as a margin for clock skew. At least zero.
    pub after_expiry: TimeDelta,
    /// Retention of a session and its timeline after its end or maximum age, of a one-time token after
    /// its expiry (so that it is reported as expired, not unknown), and of a dead email. At least zero.
    pub after_session: TimeDelta,
}

impl Default for Retention {
    /// Returns 5 minutes for tokens and 30 days for sessions.
    fn default() -> Self {
        Self { after_expiry: TimeDelta::minutes(5), after_session: TimeDelta::days(30) }
    }
}

impl Retention {
    /// Returns the deletion cutoff for refresh tokens, trusted devices, used challenges and sign-ins under way.
    /// Those that expired at or before it may be deleted. Leaves a margin for clock skew between replicas.
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

    /// Returns the deletion cutoff for pending second factors. Those that were created at or before it can no
    /// longer be confirmed.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::maintenance::Retention;
    /// let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    /// assert_eq!(Retention::default().pending_factor_cutoff(now), now - TimeDelta::minutes(15));
    /// ```
    #[must_use]
    pub fn pending_factor_cutoff(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.token_cutoff(now).checked_sub_signed(PENDING_FACTOR_LIFETIME).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Returns the deletion cutoff for sessions. Sessions that had ended or expired at or before it may
    /// be deleted.
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
