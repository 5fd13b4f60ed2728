//! Wall clock and monotonic clock.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// Provides wall-clock time and monotonic time. Never mix the two.
///
/// ```
/// use portcullis_ports::Clock;
/// use std::time::{Duration, Instant, SystemTime};
/// struct System(Instant);
/// impl Clock for System {
///     fn now(&self) -> chrono::DateTime<chrono::Utc> { SystemTime::now().into() }
///     fn monotonic(&self) -> Duration { self.0.elapsed() }
/// }
/// let clock = System(Instant::now());
/// assert!(clock.monotonic() <= clock.monotonic());
/// ```
pub trait Clock: Send + Sync {
    /// Returns the wall-clock time in UTC, for tokens and rows. It may jump in either direction.
    fn now(&self) -> DateTime<Utc>;

    /// Returns the time since a fixed moment, for timeouts and circuit breakers. It never goes back.
    fn monotonic(&self) -> Duration;
}
