//! Clocks: one that only the test moves, and one that runs.

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use portcullis_ports::Clock;
use std::time::{Duration, Instant};

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
        let mut hands = self.0.lock();
        hands.wall += time;
        hands.monotonic += time;
    }

    /// Sets the wall time forward or back. The monotonic time stays.
    pub fn set(&self, now: DateTime<Utc>) {
        self.0.lock().wall = now;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().wall
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().monotonic
    }
}

/// Clock whose monotonic time runs, for tests with sockets and servers. Its wall time is 1970.
#[derive(Debug)]
pub struct RunningClock(Instant);

impl RunningClock {
    /// Creates a clock whose monotonic time starts at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "sockets and servers keep real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RunningClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
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
