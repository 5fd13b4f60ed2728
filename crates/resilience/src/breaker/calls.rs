//! Calls through a breaker, in the forms that callers need. The rules are left to the machine,
//! and how long a call may take to the caller.

use super::circuit::Circuit;
use super::{BreakerSettings, Builder, CallError, CircuitOpen, Classify, EveryError, Permit, Snapshot};
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// A circuit breaker. Clones are handles of one circuit; no lock is held while a call runs.
///
/// A call that panics, or whose future is dropped before its end, counts as a failure. A call
/// needs a time limit of its own: the breaker ends none, and waits for the end of a probe.
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
    /// A closed circuit that tells the time by itself and for which every error counts.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self::builder(settings).build()
    }

    /// A closed circuit with a clock of your own, or with listeners.
    pub fn builder(settings: BreakerSettings) -> Builder {
        Builder::new(settings)
    }

    pub(super) fn of(circuit: Arc<Circuit>) -> Self {
        Self { circuit, classify: EveryError }
    }
}

impl<C> CircuitBreaker<C> {
    /// The same circuit, for which only those errors count that the closure says do. The others
    /// are successes: the dependency answered.
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

    /// Asks to make a call that is not one closure or future. The permit wants to be told how it
    /// went.
    ///
    /// # Errors
    /// [`CircuitOpen`], when the call must not be made.
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

    /// Opens the circuit because of what others saw, for `wait` from now, at most the recovery time.
    /// One that is open already stays so for the longer of the two.
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

    /// Closes the circuit because others saw that the dependency is back. What calls tell that
    /// were admitted before bears on nothing.
    pub fn reset(&self) {
        self.circuit.reset();
    }

    /// The state and the counts now.
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

    /// Makes a call, if the circuit lets it through.
    ///
    /// # Errors
    /// [`CallError::Open`] where the call was not made, [`CallError::Failed`] with its own error.
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

    /// Makes a call; the fallback stands in for one that was refused. For a fallback that stands
    /// in for failed calls too, write `breaker.call(…).unwrap_or(fallback)`.
    ///
    /// # Errors
    /// The call's own.
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

    /// Makes a call; the second closure stands in for one that was refused, be it with a value or
    /// with an error of the caller's own kind.
    ///
    /// # Errors
    /// The call's own, or the fallback's.
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

    /// A closure that makes its calls through this circuit.
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

    /// Awaits a future, if the circuit lets it through: it is asked when first polled. Dropped
    /// after that and before the end, the call counts as a failure. Any executor will do.
    ///
    /// # Errors
    /// As of [`call`](Self::call).
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
