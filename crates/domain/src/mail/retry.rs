//! Retries of emails that could not be sent.

use chrono::{DateTime, TimeDelta, Utc};

/// Retry policy with exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait after the first attempt, doubled after each further one. Greater than zero.
    pub first_wait: TimeDelta,
    /// Maximum wait.
    pub longest_wait: TimeDelta,
    /// Maximum age of an email, counted from the event that caused it. Older emails are not retried.
    pub give_up_after: TimeDelta,
}

/// Waits of 1, 2, 4 … 60 minutes, for 24 hours. RFC 5321 §4.5.4.1 requires retries and lets the sender
/// choose a shorter period than days.
pub const DEFAULT_RETRY_POLICY: RetryPolicy = RetryPolicy {
    first_wait: TimeDelta::minutes(1),
    longest_wait: TimeDelta::minutes(60),
    give_up_after: TimeDelta::hours(24),
};

/// Decision about an email that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Retry at this time, in UTC.
    At(DateTime<Utc>),
    /// Stop: the email is dead and kept for inspection.
    Never,
}

impl RetryPolicy {
    /// Decides whether and when to retry an email after `tries` failed attempts (at least 1). `caused`
    /// is the time of the event that caused the email.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::mail::{RetryDecision, DEFAULT_RETRY_POLICY};
    /// let (policy, caused) = (DEFAULT_RETRY_POLICY, DateTime::UNIX_EPOCH);
    /// assert_eq!(policy.next(3, caused, caused), RetryDecision::At(caused + TimeDelta::minutes(4)));
    /// assert_eq!(policy.next(99, caused, caused), RetryDecision::At(caused + TimeDelta::minutes(60)));
    /// assert_eq!(policy.next(3, caused, caused + TimeDelta::hours(24)), RetryDecision::Never);
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
