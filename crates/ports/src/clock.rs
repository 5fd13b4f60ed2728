//! The time.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// Tells the time, in two ways that are never mixed.
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
    /// The wall clock, in UTC: what tokens and rows are dated by. It may jump either way.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed moment, that never goes back: what time limits and circuit
    /// breakers count by.
    fn monotonic(&self) -> Duration;
}
