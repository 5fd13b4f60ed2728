//! Circuit breaker around a store. While the database is unavailable, calls fail at once instead of
//! each waiting for a timeout. [`StoreError`] defines which errors are outages.

use crate::{CircuitBreaker, Permit, State};
use portcullis_domain::health::CircuitState;
use portcullis_ports::{CircuitMonitor, CircuitStatus, Rotation, Store, StoreError, Tx, TxMode, TxOutcome, TxWork};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// `retry_after` of writes refused while a probe hangs.
const HANGING_RETRY: Duration = Duration::from_secs(1);

/// Port behind a circuit breaker. For a store, only outages open the circuit. Conflicts and corrupt
/// rows count as success, because the store did respond. A failed statement counts as neither success
/// nor failure, because its cause is unknown.
///
/// Writes may have [another circuit](Self::with_writes), so that reads go on while only writes fail.
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
    writes: Option<CircuitBreaker>,
    /// Write probe whose call has not returned: the round in which it began, or 0.
    probe: AtomicU64,
}

/// Clears the write probe when its call returns, unless another one has taken its place.
struct ProbeGuard<'a> {
    probe: &'a AtomicU64,
    round: u64,
}

impl Drop for ProbeGuard<'_> {
    fn drop(&mut self) {
        let _ = self.probe.compare_exchange(self.round, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl<P> Breaker<P> {
    /// Creates a port that calls `inner` through a breaker. `name` is the circuit's name in the health
    /// report.
    #[must_use]
    pub fn new(name: &'static str, inner: P, breaker: CircuitBreaker) -> Self {
        Self { name, inner, breaker, writes: None, probe: AtomicU64::new(0) }
    }

    /// Adds a circuit that writes to a store must pass, too. Outages open it, and so do writes that the store
    /// refuses while it responds. Only a write that changed something is a success, because a store may
    /// respond to any other call and still not take writes.
    ///
    /// ```
    /// use portcullis_ports::{Store, StoreError, TxMode};
    /// use portcullis_resilience::{Breaker, CircuitBreaker, BreakerSettings, State};
    /// use portcullis_testkit::FailingStore;
    /// let standby = FailingStore(StoreError::Unwritable("the server is read-only".into()));
    /// let circuit = || CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
    /// let writes = circuit();
    /// let store = Breaker::new("database", standby, circuit()).with_writes(writes.clone());
    /// let call = |mode| store.transact(mode, &mut |_| unreachable!());
    /// assert!(matches!(call(TxMode::Write), Err(StoreError::Unwritable(_))));
    /// assert!(matches!(call(TxMode::Write), Err(StoreError::CircuitOpen { .. })));
    /// assert!(matches!(call(TxMode::Read), Err(StoreError::Unwritable(_))), "a read reaches the store");
    /// assert_eq!(writes.snapshot().state, State::Open);
    /// ```
    #[must_use]
    pub fn with_writes(self, writes: CircuitBreaker) -> Self {
        Self { writes: Some(writes), ..self }
    }
}

impl<P> Breaker<P> {
    /// Makes a call that writes. Acquires the permit of writes first: its refusal must not take the place of
    /// the other circuit's probe.
    fn guard_write<T>(
        &self,
        call: impl FnOnce(&P) -> Result<T, StoreError>,
        has_written: impl FnOnce(&T) -> bool,
    ) -> Result<T, StoreError> {
        let Some(writes) = &self.writes else { return self.guard(call) };
        let open = |retry_after| StoreError::CircuitOpen { retry_after };
        let is_probe = writes.snapshot().state != State::Closed;
        if is_probe && self.is_probe_hanging() {
            return Err(open(HANGING_RETRY));
        }
        let permit = writes.acquire().map_err(|refused| open(refused.retry_after))?;
        let _guard = is_probe.then(|| self.begin_probe());
        let result = self.guard_without_timeout(call);
        match &result {
            Ok(value) if has_written(value) => permit.success(),
            Err(StoreError::Unavailable(cause) | StoreError::Unwritable(cause)) => permit.failure_because(cause),
            Ok(_) | Err(_) => permit.neutral(),
        }
        result
    }

    /// Number of times that the circuit of all calls opened, plus one. While only writes fail it stays the same.
    fn round(&self) -> u64 {
        self.breaker.snapshot().totals.opened.saturating_add(1)
    }

    fn begin_probe(&self) -> ProbeGuard<'_> {
        let round = self.round();
        self.probe.store(round, Ordering::SeqCst);
        ProbeGuard { probe: &self.probe, round }
    }

    /// Returns whether a write probe of this round has not returned. Each one keeps a thread and a connection,
    /// and the next one would hang, too. After an outage of all calls the store may be another server.
    fn is_probe_hanging(&self) -> bool {
        let probe = self.probe.load(Ordering::SeqCst);
        probe != 0 && probe == self.round()
    }

    fn guard<T>(&self, call: impl FnOnce(&P) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.call_with(call, |retry_after| StoreError::CircuitOpen { retry_after }, settle)
    }

    /// Makes a call that may hang while others do not, such as a commit that no standby confirms. It counts when it
    /// returns: several that hang at once would open the circuit of all calls. The probe of an open circuit is timed.
    fn guard_without_timeout<T>(&self, call: impl FnOnce(&P) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let acquire = || self.breaker.acquire();
        let permit = acquire().map_err(|open| StoreError::CircuitOpen { retry_after: open.retry_after })?;
        let is_closed = || self.breaker.snapshot().state == State::Closed;
        if !is_closed() {
            let result = call(&self.inner);
            settle(permit, &result);
            return result;
        }
        permit.neutral();
        let result = call(&self.inner);
        if is_closed()
            && let Ok(permit) = acquire()
        {
            settle(permit, &result);
        }
        result
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
        if mode == TxMode::Read {
            return self.guard(|store| store.transact(mode, work));
        }
        let written = Cell::new(false);
        let mut work = |tx: &mut dyn Tx| {
            let outcome = work(tx)?;
            written.set(outcome == TxOutcome::Commit && tx.has_written());
            Ok(outcome)
        };
        self.guard_write(|store| store.transact(mode, &mut work), |()| written.get())
    }

    /// Makes one call, but counts an outage once per rotation: each rotation belongs to a different
    /// client, and separate calls would each have counted as a failure.
    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        let result = self.guard_write(|store| store.rotate(rotations), |rotated| rotated.contains(&true));
        if let Err(error) = &result {
            let database = error.is_outage().then_some(&self.breaker);
            for circuit in database.into_iter().chain(self.writes.iter().filter(|_| fails_writes(error))) {
                for _ in rotations.iter().skip(1) {
                    let Ok(permit) = circuit.acquire() else { break };
                    permit.failure_because(error.to_string());
                }
            }
        }
        result
    }

    /// While writes fail, a response to a read proves nothing, so the check makes a write of its own. It makes
    /// none while others are under way: their outcome is awaited, and a caller of the check cannot add to the
    /// writes that a store leaves without a response.
    fn check(&self, mode: TxMode) -> Result<(), StoreError> {
        if mode == TxMode::Write {
            return self.guard_write(|store| store.check(mode), |()| true);
        }
        let open = |retry_after| StoreError::CircuitOpen { retry_after };
        self.call_with(
            |store| store.check(mode),
            open,
            |permit, result| match result {
                // The store did respond.
                Err(StoreError::Unwritable(_)) => permit.success(),
                other => settle(permit, other),
            },
        )?;
        let writes = self.writes.as_ref().map(CircuitBreaker::snapshot);
        match writes.filter(|writes| writes.state != State::Closed || writes.consecutive_failures > 0) {
            None => Ok(()),
            Some(writes) if writes.running > 0 || self.is_probe_hanging() => {
                Err(StoreError::Unwritable("the last writes failed".to_owned()))
            }
            Some(_) => self.check(TxMode::Write),
        }
    }
}

/// Returns whether an error means that the store takes no writes now.
fn fails_writes(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Unwritable(_))
}

fn settle<T>(permit: Permit, result: &Result<T, StoreError>) {
    match result {
        Err(StoreError::Unavailable(cause)) => permit.failure_because(cause),
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
