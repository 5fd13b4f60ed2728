//! Clock that only the test moves.

use chrono::{DateTime, Utc};
use portcullis_ports::Clock;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Clock that returns the time it was set to.
#[derive(Debug)]
pub struct FixedClock(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    wall: DateTime<Utc>,
    monotonic: Duration,
}

impl FixedClock {
    /// Creates a clock with wall time `now` and monotonic time zero.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(Hands { wall: now, monotonic: Duration::ZERO }))
    }

    /// Advances wall time and monotonic time.
    pub fn advance(&self, time: Duration) {
        let mut hands = self.hands();
        hands.wall += time;
        hands.monotonic += time;
    }

    /// Sets the wall time forward or back. The monotonic time stays.
    pub fn set(&self, now: DateTime<Utc>) {
        self.hands().wall = now;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.hands().wall
    }

    fn monotonic(&self) -> Duration {
        self.hands().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_wall_clock_back_leaves_monotonic_time_alone() {
        let clock = FixedClock::at(DateTime::UNIX_EPOCH);
        clock.advance(Duration::from_secs(5));
        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!((clock.now(), clock.monotonic()), (DateTime::UNIX_EPOCH, Duration::from_secs(5)));
    }
}
