//! Builder for circuit breakers.

use super::circuit::{Circuit, Clock, Gate, Listener};
use super::{BreakerSettings, CircuitBreaker, Machine, Transition};
use crate::sync::Arc;
use std::time::{Duration, Instant};

/// Builder for a [`CircuitBreaker`] with a custom clock, listeners or a probe gate.
///
/// ```
/// use portcullis_resilience::{CircuitBreaker, BreakerSettings};
/// use std::sync::atomic::{AtomicU32, Ordering};
/// static OPENED: AtomicU32 = AtomicU32::new(0);
/// let breaker = CircuitBreaker::builder(BreakerSettings::default().with_failure_threshold(1))
///     .on_transition(|_| { OPENED.fetch_add(1, Ordering::Relaxed); })
///     .build();
/// let _ = breaker.call(|| Err::<(), _>("refused"));
/// assert_eq!(OPENED.load(Ordering::Relaxed), 1);
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    settings: BreakerSettings,
    clock: Option<Clock>,
    listeners: Vec<Listener>,
    gate: Option<Gate>,
}

impl Builder {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, clock: None, listeners: Vec::new(), gate: None }
    }

    /// Sets the clock, which returns the time since a fixed moment and never goes back. Default:
    /// [`Instant`]. It must not panic.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// # use std::time::Duration;
    /// let builder = CircuitBreaker::builder(BreakerSettings::default());
    /// let breaker = builder.clock(|| Duration::from_secs(7)).build();
    /// # drop(breaker);
    /// ```
    pub fn clock(self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { clock: Some(Box::new(clock)), ..self }
    }

    /// Adds a listener for changes of state. It runs outside all locks, on the thread whose call caused
    /// the change, for one change at a time and in order. It may use the breaker. It should be fast,
    /// because a call waits for it. After a panic it still gets the next change.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let builder = CircuitBreaker::builder(BreakerSettings::default())
    ///     .on_transition(move |change| sender.send(change.to).unwrap_or_default());
    /// # drop(builder);
    /// ```
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Sets a gate that runs before a call becomes a probe, so that only one of several processes
    /// probes. `None` lets the call pass; a duration keeps the circuit open for that time. The gate
    /// runs on the calling thread, outside all locks, one thread at a time; concurrent calls are
    /// refused. If it panics, the call passes.
    ///
    /// ```
    /// use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// use std::time::Duration;
    /// let pause = Duration::from_millis(1);
    /// let settings = BreakerSettings::default().with_failure_threshold(1).with_recovery_timeout(pause);
    /// let breaker = CircuitBreaker::builder(settings).probe_gate(move || Some(pause)).build();
    /// let _ = breaker.call(|| Err::<(), _>("refused"));
    /// assert!(breaker.acquire().is_err(), "now and later: the gate lets no call pass");
    /// ```
    pub fn probe_gate(self, gate: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self { gate: Some(Box::new(gate)), ..self }
    }

    /// Builds the breaker with a closed circuit.
    #[must_use]
    pub fn build(self) -> CircuitBreaker {
        let clock = self.clock.unwrap_or_else(instant_clock);
        let circuit = Circuit::new(Machine::new(self.settings), clock, self.listeners, self.gate);
        CircuitBreaker::of(Arc::new(circuit))
    }
}

#[expect(clippy::disallowed_methods, reason = "a breaker used alone needs a clock; Portcullis passes its own")]
fn instant_clock() -> Clock {
    let start = Instant::now();
    Box::new(move || start.elapsed())
}
