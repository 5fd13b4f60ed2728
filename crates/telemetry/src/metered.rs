//! Decorator that counts and times the calls of a port.

use portcullis_ports::Clock;
use prometheus::Histogram;
use std::fmt;
use std::sync::Arc;

/// A port with metrics. Forwards calls unchanged.
pub struct Metered<P: ?Sized, M> {
    pub(crate) metrics: M,
    clock: Arc<dyn Clock>,
    pub(crate) inner: Arc<P>,
}

impl<P: ?Sized, M> Metered<P, M> {
    /// Adds metrics to a port. `clock` measures the times.
    #[must_use]
    pub fn new(inner: Arc<P>, metrics: M, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, inner }
    }

    /// Calls the port and records the duration.
    pub(crate) fn timed<T>(&self, histogram: &Histogram, call: impl FnOnce(&P) -> T) -> T {
        let start = self.clock.monotonic();
        let outcome = call(&self.inner);
        histogram.observe(self.clock.monotonic().saturating_sub(start).as_secs_f64());
        outcome
    }
}

impl<P: ?Sized, M> fmt::Debug for Metered<P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered").finish_non_exhaustive()
    }
}
