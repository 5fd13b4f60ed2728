//! Generic cell rate algorithm (GCRA, ITU-T I.371 annex A), in its form with one theoretical arrival
//! time. The state of a key is one timestamp, so there is no counter that drifts and nothing to
//! refill.

use super::{QuotaPolicy, Throttled};
use std::num::NonZeroU32;
use std::time::Duration;

/// GCRA limit: a steady rate of `calls` per `period`, evenly spread, and up to `burst` calls at once.
///
/// Times are durations since a fixed moment. Within any window of length `w`, at most
/// `burst + w / (period / calls)` calls pass.
///
/// ```
/// use portcullis_domain::limits::Gcra;
/// use std::{num::NonZeroU32, time::Duration};
/// let two = NonZeroU32::MIN.saturating_add(1);
/// let limit = Gcra::new(two, Duration::from_secs(60), two);
/// let now = Duration::from_secs(1000);
/// let first = limit.try_acquire(None, now)?;
/// let second = limit.try_acquire(Some(first), now)?;
/// let refusal = limit.try_acquire(Some(second), now).unwrap_err();
/// assert_eq!(refusal.retry_after, Duration::from_secs(30));
/// # Ok::<(), portcullis_domain::limits::Throttled>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gcra {
    calls: NonZeroU32,
    period: Duration,
    burst: NonZeroU32,
}

impl Gcra {
    /// Creates a limit of `calls` per `period` and up to `burst` at once. `period` is raised to at
    /// least 1 µs per call, the resolution of the adapters.
    #[must_use]
    pub fn new(calls: NonZeroU32, period: Duration, burst: NonZeroU32) -> Self {
        Self { calls, period: period.max(Duration::from_micros(calls.get().into())), burst }
    }

    /// Returns the time between two calls in whole microseconds. Rounded up, so the rate is never
    /// exceeded.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let nanos = self.period.as_nanos().div_ceil(u128::from(self.calls.get()));
        Duration::from_micros(u64::try_from(nanos.div_ceil(1000)).unwrap_or(u64::MAX))
    }

    /// Returns how far the theoretical arrival time may be ahead of now.
    #[must_use]
    pub fn tolerance(&self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }

    /// Accepts one call and returns the new theoretical arrival time. `arrival` is the previous one.
    ///
    /// An arrival time further ahead than [`tolerance`](Self::tolerance) means that the clock moved
    /// back. It counts as a spent budget, so that it locks no one out for longer than that.
    ///
    /// # Errors
    /// Returns [`Throttled`] if the budget is spent. The arrival time then stays as it was.
    pub fn try_acquire(&self, arrival: Option<Duration>, now: Duration) -> Result<Duration, Throttled> {
        let latest = now.saturating_add(self.tolerance());
        let next = arrival.unwrap_or(now).clamp(now, latest).saturating_add(self.interval());
        if next > latest { Err(Throttled { retry_after: next.saturating_sub(latest) }) } else { Ok(next) }
    }

    /// Returns the arrival time after refunding one call.
    #[must_use]
    pub fn refund(&self, arrival: Duration) -> Duration {
        arrival.saturating_sub(self.interval())
    }

    /// Returns the number of calls that could pass immediately.
    #[must_use]
    pub fn remaining(&self, arrival: Duration, now: Duration) -> u32 {
        let free = self.tolerance().saturating_sub(arrival.saturating_sub(now));
        let calls = free.as_micros().checked_div(self.interval().as_micros()).unwrap_or_default();
        u32::try_from(calls).unwrap_or(u32::MAX)
    }

    /// Returns the quota to announce to clients: `calls` per `period`.
    #[must_use]
    pub fn policy(&self) -> QuotaPolicy {
        QuotaPolicy { quota: self.calls.get(), window: self.period }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flow(calls: u32, seconds: u64, burst: u32) -> Gcra {
        let some = |n| NonZeroU32::new(n).unwrap();
        Gcra::new(some(calls), Duration::from_secs(seconds), some(burst))
    }

    #[test]
    fn a_burst_passes_and_then_one_call_an_interval() {
        let source = flow(300, 300, 100);
        let (mut arrival, now) = (None, Duration::from_secs(5));
        for left in (0..100).rev() {
            arrival = source.try_acquire(arrival, now).ok();
            assert_eq!(source.remaining(arrival.unwrap(), now), left);
        }
        let refusal = source.try_acquire(arrival, now).unwrap_err();
        assert_eq!(refusal.retry_after, Duration::from_secs(1));
        assert!(source.try_acquire(arrival, now + refusal.retry_after).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let source = flow(3, 3600, 3);
        let arrival = source.try_acquire(None, Duration::from_secs(1_000_000_000)).ok();
        let back = Duration::from_secs(5);
        assert_eq!(source.try_acquire(arrival, back).unwrap_err().retry_after, Duration::from_secs(1200));
    }

    #[test]
    fn no_extreme_overflows() {
        let widest = Gcra::new(NonZeroU32::MIN, Duration::MAX, NonZeroU32::MAX);
        let arrival = widest.try_acquire(Some(Duration::MAX), Duration::MAX).unwrap_or(Duration::MAX);
        let _ = (widest.refund(arrival), widest.remaining(arrival, Duration::ZERO), widest.policy());
        let finest = Gcra::new(NonZeroU32::MAX, Duration::ZERO, NonZeroU32::MIN);
        assert_eq!(finest.interval(), Duration::from_micros(1));
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_budget(
            calls in 1_u32..50, seconds in 1_u64..600, burst in 1_u32..20,
            steps in prop::collection::vec((0_u64..40_000, 0_u8..10), 1..300),
        ) {
            let budget = flow(calls, seconds, burst);
            let (mut now, mut arrival, mut passed) = (Duration::from_secs(1), None, Vec::new());
            for (millis, kind) in steps {
                now += Duration::from_millis(millis);
                match (kind, arrival) {
                    // Refund the last accepted call.
                    (0, Some(last)) if passed.pop().is_some() => arrival = Some(budget.refund(last)),
                    _ => if let Ok(next) = budget.try_acquire(arrival, now) {
                        arrival = Some(next);
                        passed.push(now);
                    },
                }
            }
            for (place, start) in passed.iter().enumerate() {
                for (count, end) in (1_u32..).zip(&passed[place..]) {
                    let span = (*end - *start).as_nanos() / budget.interval().as_nanos();
                    prop_assert!(u128::from(count) <= u128::from(burst) + span);
                }
            }
        }

        #[test]
        fn a_refund_restores(calls in 1_u32..50, burst in 1_u32..20, taken in 0_u32..20, later in 0_u64..100_000) {
            let budget = flow(calls, 60, burst);
            let start = Duration::from_secs(100);
            let arrival = (0..taken).fold(None, |arrival, _| budget.try_acquire(arrival, start).ok().or(arrival));
            let now = start + Duration::from_millis(later);
            if let Ok(next) = budget.try_acquire(arrival, now) {
                let before = arrival.unwrap_or(now);
                prop_assert_eq!(budget.remaining(budget.refund(next), now), budget.remaining(before, now));
            }
        }
    }
}
