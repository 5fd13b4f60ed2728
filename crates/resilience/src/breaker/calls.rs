//! Public API of the circuit breaker.

use super::circuit::Circuit;
use super::{BreakerSettings, Builder, CallError, CircuitOpen, Classify, EveryError, Permit, Snapshot};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// Circuit breaker. Clones share one circuit, and no lock is held while a call runs.
///
/// A call that panics, or whose future is dropped before it completes, counts as a failure, and so does one
/// that runs for longer than [`BreakerSettings::with_call_timeout`]. The breaker never cancels a call.
///
/// ```
/// use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings};
/// let breaker = CircuitBreaker::new(BreakerSettings::default());
/// assert_eq!(breaker.call(|| "42".parse::<u8>()), Ok(42));
/// assert!(matches!(breaker.call(|| "x".parse::<u8>()), Err(CallError::Failed(_))));
/// ```
#[derive(Clone)]
pub struct CircuitBreaker<C = EveryError> {
    circuit: Arc<Circuit>,
    classify: C,
}

impl CircuitBreaker {
    /// Creates a breaker with the default clock that counts every error.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self::builder(settings).build()
    }

    /// Creates a builder for a breaker with a custom clock, listeners or a probe gate.
    pub fn builder(settings: BreakerSettings) -> Builder {
        Builder::new(settings)
    }

    pub(super) fn of(circuit: Arc<Circuit>) -> Self {
        Self { circuit, classify: EveryError }
    }
}

impl<C> CircuitBreaker<C> {
    /// Returns a handle of the same circuit that counts only errors for which the closure returns true.
    /// Other errors count as success, because the dependency did respond.
    ///
    /// ```
    /// use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default()).counting(|status: &u16| *status >= 500);
    /// let _ = breaker.call(|| Err::<(), _>(404));
    /// assert_eq!(breaker.snapshot().consecutive_failures, 0);
    /// let _ = breaker.call(|| Err::<(), _>(503));
    /// assert_eq!(breaker.snapshot().consecutive_failures, 1);
    /// ```
    #[must_use]
    pub fn counting<E, F: Fn(&E) -> bool>(&self, counts: F) -> CircuitBreaker<F> {
        CircuitBreaker { circuit: Arc::clone(&self.circuit), classify: counts }
    }

    /// Acquires a permit for a call that does not fit into one closure or future. Report the outcome
    /// on the permit.
    ///
    /// # Errors
    /// Returns [`CircuitOpen`] if the call must not be made.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, CircuitOpen, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// let permit = breaker.acquire()?;
    /// match "42".parse::<u8>() {
    ///     Ok(_) => permit.success(),
    ///     Err(_) => permit.failure(),
    /// }
    /// # Ok::<(), CircuitOpen>(())
    /// ```
    pub fn acquire(&self) -> Result<Permit, CircuitOpen> {
        Circuit::acquire(&self.circuit)
    }

    /// Opens the circuit because of external evidence of an outage, for `wait` from now, capped at the
    /// recovery timeout. If it is already open, the longer time applies.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings, State};
    /// # use std::time::Duration;
    /// let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// breaker.trip(Duration::from_secs(7));
    /// assert_eq!(breaker.snapshot().state, State::Open);
    /// breaker.reset();
    /// assert_eq!(breaker.snapshot().state, State::Closed);
    /// ```
    pub fn trip(&self, wait: Duration) {
        self.circuit.trip(wait);
    }

    /// Closes the circuit because of external evidence that the dependency is available again.
    /// Outcomes of calls admitted before no longer affect the state.
    pub fn reset(&self) {
        self.circuit.reset();
    }

    /// Returns the current state and counts. Calls whose time is over count, so this may open the circuit and
    /// run the listeners.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let snapshot = CircuitBreaker::new(BreakerSettings::default()).snapshot();
    /// assert_eq!((snapshot.state.as_str(), snapshot.totals.refused), ("closed", 0));
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.circuit.snapshot()
    }

    /// Makes a call if the circuit admits it.
    ///
    /// # Errors
    /// Returns [`CallError::Open`] if the call was not made, or [`CallError::Failed`] with the call's
    /// error.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// assert_eq!(breaker.call(|| Ok::<_, ()>(42)), Ok(42));
    /// ```
    pub fn call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>>
    where
        C: Classify<E>,
    {
        let permit = self.acquire()?;
        self.settle(permit, call()).map_err(CallError::Failed)
    }

    /// Makes a call, or returns the fallback if the circuit refuses the call. To use the fallback for
    /// failed calls too, write `breaker.call(…).unwrap_or(fallback)`.
    ///
    /// # Errors
    /// Returns the call's error.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
    /// assert_eq!(breaker.call_or(|| Err("refused"), 40), Err("refused"));
    /// assert_eq!(breaker.call_or(|| Err("refused"), 40), Ok(40));
    /// ```
    pub fn call_or<T, E>(&self, call: impl FnOnce() -> Result<T, E>, fallback: T) -> Result<T, E>
    where
        C: Classify<E>,
    {
        self.call_or_else(call, |_| Ok(fallback))
    }

    /// Makes a call, or runs the fallback if the circuit refuses the call. The fallback may return a
    /// value or an error.
    ///
    /// # Errors
    /// Returns the call's or the fallback's error.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
    /// let price = || breaker.call_or_else(
    ///     || Err::<u32, _>("connection refused".to_owned()),
    ///     |open| Err(format!("down for {} s more", open.retry_after.as_secs_f64().ceil())),
    /// );
    /// assert_eq!(price(), Err("connection refused".to_owned()));
    /// assert_eq!(price(), Err("down for 30 s more".to_owned()));
    /// ```
    pub fn call_or_else<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        fallback: impl FnOnce(CircuitOpen) -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Classify<E>,
    {
        match self.acquire() {
            Ok(permit) => self.settle(permit, call()),
            Err(open) => fallback(open),
        }
    }

    /// Returns a closure that makes its calls through this circuit.
    ///
    /// ```
    /// # use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// let parse = breaker.wrap(|digits: &'static str| digits.parse::<u8>());
    /// assert_eq!(parse("42"), Ok(42));
    /// assert!(matches!(parse("x"), Err(CallError::Failed(_))));
    /// ```
    pub fn wrap<A, T, E, F>(&self, call: F) -> impl Fn(A) -> Result<T, CallError<E>> + use<A, T, E, F, C>
    where
        C: Classify<E> + Clone,
        F: Fn(A) -> Result<T, E>,
    {
        let breaker = self.clone();
        move |argument| breaker.call(|| call(argument))
    }

    /// Awaits a future if the circuit admits it. The circuit is checked at the first poll. If the
    /// future is dropped between then and its completion, the call counts as a failure. Works with any
    /// executor.
    ///
    /// # Errors
    /// Same as [`call`](Self::call).
    ///
    /// ```
    /// # use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings};
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// async fn fetch(breaker: &CircuitBreaker) -> Result<u8, CallError<&'static str>> {
    ///     breaker.call_future(async { Ok(42) }).await
    /// }
    /// # let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// # let polled = pin!(fetch(&breaker)).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert_eq!(polled, Poll::Ready(Ok(42)));
    /// ```
    pub fn call_future<T, E, F>(&self, future: F) -> impl Future<Output = Result<T, CallError<E>>> + use<T, E, F, C>
    where
        C: Classify<E> + Clone,
        F: Future<Output = Result<T, E>>,
    {
        let breaker = self.clone();
        async move {
            let permit = breaker.acquire()?;
            breaker.settle(permit, future.await).map_err(CallError::Failed)
        }
    }

    fn settle<T, E>(&self, permit: Permit, result: Result<T, E>) -> Result<T, E>
    where
        C: Classify<E>,
    {
        match &result {
            Err(error) if self.classify.counts(error) => permit.failure(),
            Ok(_) | Err(_) => permit.success(),
        }
        result
    }
}

impl<C> fmt::Debug for CircuitBreaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
