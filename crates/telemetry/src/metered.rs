//! The decorator that counts what passes a port, and how long it took.

use portcullis_ports::Clock;
use prometheus::Histogram;
use std::fmt;
use std::sync::Arc;

/// A port with metrics before it. What passes is not changed.
pub struct Metered<P: ?Sized, M> {
    pub(crate) metrics: M,
    clock: Arc<dyn Clock>,
    pub(crate) inner: Arc<P>,
}

impl<P: ?Sized, M> Metered<P, M> {
    /// Puts metrics before a port. Times go by the clock.
    #[must_use]
    pub fn new(inner: Arc<P>, metrics: M, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, inner }
    }

    /// Does the call, and adds its time.
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
