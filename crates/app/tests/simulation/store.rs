//! Store of the simulation. Inside the circuit breaker, calls interleave, fail as the seed chooses and have
//! every effect checked. Outside, the breaker is compared with its model.

use crate::circuit::{Circuit, Outcome};
use crate::fault_plan::FaultDecision;
use crate::spec;
use crate::world::{InjectedPanic, SimWorld};
use portcullis_domain::health::CircuitState;
use portcullis_ports::{CircuitMonitor, Clock, Rotation, Store, StoreError, TxMode, TxOutcome, TxWork};
use portcullis_resilience::Breaker;
use portcullis_testkit::{MemoryStore, StoreCall, Watched};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// In-memory store that behaves like a database behind a bad network.
pub(crate) type FaultyStore = Watched<Arc<MemoryStore>>;

pub(crate) fn faulty(stage: &Arc<SimWorld>) -> FaultyStore {
    let stage = stage.clone();
    Watched::new(stage.memory.clone(), move |call| {
        stage.record(|record| record.reached += 1);
        stage.pause();
        let fate = stage.with(|state| state.weather).fate(&stage.dice);
        stage.tell(|| format!("  store, {:?}: {fate:?}", call.mode));
        let result = meet(&stage, fate, call);
        stage.pause();
        result
    })
}

fn meet(stage: &SimWorld, fate: FaultDecision, call: &mut StoreCall<'_>) -> Result<(), StoreError> {
    let fails = |event, error| {
        stage.cover(event);
        Err(error)
    };
    match fate {
        FaultDecision::Done => run_and_look(stage, call, &mut Ok),
        FaultDecision::Unavailable => fails("store unavailable", StoreError::Unavailable("staged".to_owned())),
        FaultDecision::Busy => fails("store busy", StoreError::Busy("staged".to_owned())),
        FaultDecision::Failed => fails("store failed", StoreError::Failed("staged".to_owned())),
        FaultDecision::Dropped => {
            stage.cover("call dropped before the commit");
            let mut drops = |_| Err(StoreError::Unavailable("staged: it broke off".to_owned()));
            run_and_look(stage, call, &mut drops)
        }
        FaultDecision::Lost => {
            run_and_look(stage, call, &mut Ok)?;
            stage.record(|record| record.lost = true);
            fails("answer lost after the commit", StoreError::Unavailable("staged: its answer is lost".to_owned()))
        }
        FaultDecision::Panic => {
            stage.cover("panic");
            stage.record(|record| record.staged = true);
            run_and_look(stage, call, &mut |_| resume_unwind(Box::new(InjectedPanic)))
        }
        FaultDecision::Slow(time) => {
            stage.cover("slow call");
            stage.clock.advance(time);
            stage.pause();
            run_and_look(stage, call, &mut Ok)
        }
    }
}

/// Runs the transaction and checks its changes against those its request may make.
fn run_and_look(
    stage: &SimWorld,
    call: &mut StoreCall<'_>,
    end: &mut dyn FnMut(TxOutcome) -> Result<TxOutcome, StoreError>,
) -> Result<(), StoreError> {
    let due = stage.with(|state| spec::due(state));
    stage.record(|record| record.due.extend(due));
    let result = catch_unwind(AssertUnwindSafe(|| call.run_and_end(end)));
    let before = stage.with(|state| state.rows.clone());
    stage.read_rows();
    let (allowed, changes) = stage.with(|state| {
        let changes = before.changes(&state.rows);
        let request = &state.records[&state.client].request;
        let shown = request.token().and_then(|token| state.signed.get(token));
        (before.allows(request, shown, &changes, &state.rows), changes)
    });
    stage.expect(allowed, || format!("a transaction did what it must not: {changes:?}"));
    let done = matches!(result, Ok(Ok(())));
    stage.expect(done || changes.is_empty(), || format!("a transaction that failed left {changes:?}"));
    stage.expect(call.mode == TxMode::Write || changes.is_empty(), || format!("a reader wrote {changes:?}"));
    stage.record(|record| record.effects.extend(changes));
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Breaker and the model it is compared with.
pub(crate) struct CheckedBreaker {
    pub(crate) stage: Arc<SimWorld>,
    pub(crate) inner: Arc<Breaker<FaultyStore>>,
    pub(crate) promise: Mutex<Circuit>,
}

impl Store for CheckedBreaker {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.watch(|inner| inner.transact(mode, work))
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        self.watch(|inner| inner.rotate(rotations))
    }
}

impl CheckedBreaker {
    fn watch<T>(&self, call: impl FnOnce(&Breaker<FaultyStore>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (stage, now) = (&self.stage, || self.stage.clock.monotonic());
        let reached = stage.record(|record| record.reached);
        let admitted = self.promise(|promise| promise.admit(now()));
        let result = catch_unwind(AssertUnwindSafe(|| call(&self.inner)));
        let reached = stage.record(|record| record.reached) > reached;
        stage.expect(reached == admitted.is_ok(), || match reached {
            true => "the circuit let a call through that it should refuse".to_owned(),
            false => "the circuit did not let a call through that it should".to_owned(),
        });
        match (admitted, &result) {
            (Ok(era), result) => {
                let settled = self.promise(|promise| promise.settle(era, outcome(result), now()));
                settled.into_iter().for_each(|what| stage.cover(what));
            }
            (Err(wait), Ok(result)) => self.refused(wait, result.as_ref().err()),
            (Err(_), Err(_)) => {}
        }
        let (told, promised) = (self.inner.status().state, self.promise(|promise| promise.state()));
        stage.expect(told == promised, || format!("the circuit is {told:?} and should be {promised:?}"));
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        stage.record(|record| record.store_error = result.as_ref().err().cloned());
        result
    }

    fn refused(&self, wait: Duration, error: Option<&StoreError>) {
        let probing = self.inner.status().state == CircuitState::HalfOpen;
        self.stage.cover(if probing { "refused while a probe ran" } else { "refused by the open circuit" });
        let right = matches!(error, Some(StoreError::CircuitOpen { retry_after }) if *retry_after == wait);
        self.stage.expect(right, || format!("the open circuit said {error:?}, and {wait:?} are left"));
    }

    fn promise<T>(&self, look: impl FnOnce(&mut Circuit) -> T) -> T {
        look(&mut self.promise.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn outcome<T>(result: &std::thread::Result<Result<T, StoreError>>) -> Outcome {
    match result {
        Err(_) | Ok(Err(StoreError::Unavailable(_))) => Outcome::Down,
        // The cause of a failed statement is not always known. It may be an outage.
        Ok(Err(StoreError::Busy(_) | StoreError::Failed(_) | StoreError::CircuitOpen { .. })) => Outcome::Nothing,
        Ok(Ok(_) | Err(_)) => Outcome::Up,
    }
}
