//! What a breaker is made of besides its settings: a clock and listeners.

use super::circuit::{Circuit, Clock, Gate, Listener};
use super::{BreakerSettings, CircuitBreaker, Machine, Transition};
use crate::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a [`CircuitBreaker`].
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

    /// Tells the time since some fixed moment, that never goes back. The default counts by
    /// [`Instant`]; a test passes its own. It must not panic.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// # use std::time::Duration;
    /// let breaker = CircuitBreaker::builder(BreakerSettings::default()).clock(|| Duration::from_secs(7)).build();
    /// # drop(breaker);
    /// ```
    pub fn clock(self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { clock: Some(Box::new(clock)), ..self }
    }

    /// Is told every change of state: one by one, in order, outside every lock, by one of the
    /// threads whose calls caused them. It may use the breaker; it should be quick, as a call
    /// waits for it. A listener that panics is told the next change all the same.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let builder = CircuitBreaker::builder(BreakerSettings::default())
    ///     .on_transition(move |change| tell.send(change.to).unwrap_or_default());
    /// # drop(builder);
    /// ```
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Is asked before a call becomes a probe, by the thread whose call it would be: `None` lets
    /// it pass, a time keeps the circuit open for as long. For circuits of several processes, of
    /// which one should probe. Outside every lock, and one thread at a time; the calls that come
    /// meanwhile are refused. A gate that panics lets pass.
    ///
    /// ```
    /// use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// use std::time::Duration;
    /// let settings = BreakerSettings::default().with_failure_threshold(1).with_recovery_timeout(Duration::from_millis(1));
    /// let breaker = CircuitBreaker::builder(settings).probe_gate(|| Some(Duration::from_millis(1))).build();
    /// let _ = breaker.call(|| Err::<(), _>("refused"));
    /// assert!(breaker.acquire().is_err(), "now and later: the gate never lets one pass");
    /// ```
    pub fn probe_gate(self, gate: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self { gate: Some(Box::new(gate)), ..self }
    }

    /// The breaker, closed.
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
