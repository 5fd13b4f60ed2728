//! When a mail that could not be sent is tried again.

use chrono::{DateTime, TimeDelta, Utc};

/// How often, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait after the first try; each next one is twice as long. Greater than zero.
    pub first_wait: TimeDelta,
    /// The longest wait.
    pub longest_wait: TimeDelta,
    /// How long it is tried, from when it was caused.
    pub give_up_after: TimeDelta,
}

/// Backoff of 1, 2, 4 … 60 minutes, for 24 hours (RFC 5321 §4.5.4.1 asks for retries, and leaves
/// it to the sender to ask for less than days).
pub const DEFAULT_RETRY_POLICY: RetryPolicy = RetryPolicy {
    first_wait: TimeDelta::minutes(1),
    longest_wait: TimeDelta::minutes(60),
    give_up_after: TimeDelta::hours(24),
};

/// What becomes of a mail that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// It is tried again at that moment, in UTC.
    At(DateTime<Utc>),
    /// It is given up, and kept for whoever looks into it.
    Never,
}

impl RetryPolicy {
    /// What becomes of a mail after so many tries, at least one, none of which succeeded.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::mail::{RetryDecision, DEFAULT_RETRY_POLICY};
    /// let caused = DateTime::UNIX_EPOCH;
    /// assert_eq!(DEFAULT_RETRY_POLICY.next(3, caused, caused), RetryDecision::At(caused + TimeDelta::minutes(4)));
    /// assert_eq!(DEFAULT_RETRY_POLICY.next(99, caused, caused), RetryDecision::At(caused + TimeDelta::minutes(60)));
    /// assert_eq!(DEFAULT_RETRY_POLICY.next(3, caused, caused + TimeDelta::hours(24)), RetryDecision::Never);
    /// ```
    #[must_use]
    pub fn next(&self, tries: u32, caused: DateTime<Utc>, now: DateTime<Utc>) -> RetryDecision {
        let doublings = tries.saturating_sub(1).min(30);
        let wait = self.first_wait.checked_mul(1_i32 << doublings).unwrap_or(self.longest_wait).min(self.longest_wait);
        let given_up = now.signed_duration_since(caused) >= self.give_up_after;
        let next = now.checked_add_signed(wait).filter(|_| !given_up);
        next.map_or(RetryDecision::Never, RetryDecision::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_up_to_the_longest() {
        let now = DateTime::UNIX_EPOCH;
        let minutes = |tries| match DEFAULT_RETRY_POLICY.next(tries, now, now) {
            RetryDecision::At(at) => (at - now).num_minutes(),
            RetryDecision::Never => -1,
        };
        assert_eq!((0..10).map(minutes).collect::<Vec<_>>(), [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(minutes(u32::MAX), 60);
    }

    #[test]
    fn a_clock_that_went_back_gives_nothing_up() {
        let caused = DateTime::UNIX_EPOCH + TimeDelta::days(9);
        assert!(matches!(DEFAULT_RETRY_POLICY.next(1, caused, DateTime::UNIX_EPOCH), RetryDecision::At(_)));
        assert_eq!(DEFAULT_RETRY_POLICY.next(1, caused, DateTime::<Utc>::MAX_UTC), RetryDecision::Never);
    }
}
