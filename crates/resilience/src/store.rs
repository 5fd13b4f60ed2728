//! Circuit breaker around a store. While the database is unavailable, calls fail at once instead of
//! each waiting for a timeout. [`StoreError`] defines which errors are outages.

use crate::{CircuitBreaker, Permit, State};
use portcullis_domain::health::CircuitState;
use portcullis_ports::{CircuitMonitor, CircuitStatus, Rotation, Store, StoreError, TxMode, TxWork};
use std::time::Duration;

/// Port behind a circuit breaker. For a store, only outages open the circuit. Conflicts and corrupt
/// rows count as success, because the store did respond. A failed statement counts as neither success
/// nor failure, because its cause is unknown.
///
/// ```
/// use portcullis_ports::{CircuitMonitor, TxMode, Store, StoreError};
/// use portcullis_resilience::{Breaker, CircuitBreaker, BreakerSettings};
/// use portcullis_testkit::FailingStore;
/// let down = FailingStore(StoreError::Unavailable("connection refused".into()));
/// let circuit = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
/// let store = Breaker::new("database", down, circuit);
/// let call = || store.transact(TxMode::Read, &mut |_| unreachable!());
/// assert!(matches!(call(), Err(StoreError::Unavailable(_))));
/// assert!(matches!(call(), Err(StoreError::CircuitOpen { .. })));
/// assert_eq!(store.status().state.as_str(), "open");
/// ```
#[derive(Debug)]
pub struct Breaker<P> {
    name: &'static str,
    inner: P,
    breaker: CircuitBreaker,
}

impl<P> Breaker<P> {
    /// Creates a port that calls `inner` through a breaker. `name` is the circuit's name in the health
    /// report.
    #[must_use]
    pub fn new(name: &'static str, inner: P, breaker: CircuitBreaker) -> Self {
        Self { name, inner, breaker }
    }
}

impl<P> Breaker<P> {
    fn guard<T>(&self, call: impl FnOnce(&P) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.call_with(call, |retry_after| StoreError::CircuitOpen { retry_after }, settle)
    }

    /// Makes a call. `settle` decides how its result counts.
    pub(crate) fn call_with<T, E>(
        &self,
        call: impl FnOnce(&P) -> Result<T, E>,
        is_open: impl FnOnce(Duration) -> E,
        settle: impl FnOnce(Permit, &Result<T, E>),
    ) -> Result<T, E> {
        let permit = self.breaker.acquire().map_err(|open| is_open(open.retry_after))?;
        let result = call(&self.inner);
        settle(permit, &result);
        result
    }
}

impl<P> Breaker<P> {
    /// Makes a call. Every error counts as a failure.
    pub(crate) fn call_counting_all<T, E>(
        &self,
        call: impl FnOnce(&P) -> Result<T, E>,
        is_open: impl FnOnce() -> E,
    ) -> Result<T, E> {
        let Ok(permit) = self.breaker.acquire() else { return Err(is_open()) };
        let result = call(&self.inner);
        match &result {
            Ok(_) => permit.success(),
            Err(_) => permit.failure(),
        }
        result
    }
}

impl<P: Store> Store for Breaker<P> {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.guard(|store| store.transact(mode, work))
    }

    /// Makes one call, but counts an outage once per rotation: each rotation belongs to a different
    /// client, and separate calls would each have counted as a failure.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        let result = self.guard(|store| store.rotate(rotations));
        if result.as_ref().is_err_and(StoreError::is_outage) {
            for _ in rotations.iter().skip(1) {
                let Ok(permit) = self.breaker.acquire() else { break };
                permit.failure();
            }
        }
        result
    }
}

fn settle<T>(permit: Permit, result: &Result<T, StoreError>) {
    match result {
        Err(error) if error.is_outage() => permit.failure(),
        // Either the call did not reach the database, or only writes fail, or the cause is unknown.
        // Such errors must neither close the circuit nor reset the count between two outages. They must
        // not open it either, because a client may cause them with bad values.
        Err(
            StoreError::Busy(_) | StoreError::Unwritable(_) | StoreError::Failed(_) | StoreError::CircuitOpen { .. },
        ) => permit.neutral(),
        Ok(_) | Err(_) => permit.success(),
    }
}

impl<P: Send + Sync> CircuitMonitor for Breaker<P> {
    fn status(&self) -> CircuitStatus {
        let snapshot = self.breaker.snapshot();
        CircuitStatus { name: self.name, state: snapshot.state.into(), retry_after: snapshot.retry_after }
    }
}

impl From<State> for CircuitState {
    fn from(state: State) -> Self {
        match state {
            State::Closed => Self::Closed,
            State::Open => Self::Open,
            State::HalfOpen => Self::HalfOpen,
        }
    }
}
