//! Circuits shared between replicas: if one opens, all open, and one replica probes for all. While the
//! shared state is unavailable, each replica decides for itself.

use crate::breaker::Builder;
use crate::{Breaker, CircuitBreaker, State, Transition};
use portcullis_ports::{CircuitUpdate, SharedCircuits, SharedCircuitsError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Poll interval of the shared state. A circuit follows that of another replica after about this time
/// at most.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Settings of a shared circuit.
#[derive(Clone)]
pub struct SharingSettings {
    /// Name of the circuit, the same in all replicas.
    pub circuit: &'static str,
    /// Recovery timeout of the circuit.
    pub recovery: Duration,
    /// Call timeout of the circuit: how long one replica may probe for all.
    pub probe: Duration,
    /// Shared circuit state.
    pub board: Arc<dyn SharedCircuits>,
}

/// Builds a circuit that shares its state with other replicas. A background thread publishes its
/// transitions and applies those of other replicas until the process ends. Only the claim of the probe
/// runs on the calling thread.
///
/// # Errors
/// Returns the operating system's error if the thread cannot be started.
pub fn share(builder: Builder, sharing: SharingSettings) -> std::io::Result<CircuitBreaker> {
    let (tell, told) = sync_channel(64);
    let asked = sharing.clone();
    let gate = move || asked.board.claim_probe(asked.circuit, asked.probe).unwrap_or(None);
    let breaker = builder.probe_gate(gate).on_transition(forward_transitions(tell)).build();
    let handle = breaker.clone();
    let mut exchange = CircuitSync { sharing, told: None, seen: None };
    thread::Builder::new().name("circuits".to_owned()).spawn(move || exchange.run(&handle, &told))?;
    Ok(breaker)
}

/// Forwards transitions to the background thread without blocking. Skips commanded transitions,
/// because other replicas already know them.
fn forward_transitions(tell: SyncSender<State>) -> impl Fn(&Transition) + Send + Sync + 'static {
    move |change| {
        if !change.commanded {
            // If the queue is full, this transition is skipped; a later one follows soon.
            let _ = tell.try_send(change.to);
        }
    }
}

/// Background loop that publishes local transitions and applies those of other replicas.
struct CircuitSync {
    sharing: SharingSettings,
    /// State not yet published.
    told: Option<State>,
    /// Version of the latest update seen.
    seen: Option<u64>,
}

impl CircuitSync {
    fn run(&mut self, breaker: &CircuitBreaker, changes: &Receiver<State>) {
        loop {
            match changes.recv_timeout(POLL_INTERVAL) {
                Ok(State::HalfOpen) => continue,
                Ok(state) => self.told = Some(state),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // If the shared state is unavailable, the next round publishes the state again.
            let _ = self.sync_once(breaker);
        }
    }

    fn sync_once(&mut self, breaker: &CircuitBreaker) -> Result<(), SharedCircuitsError> {
        let SharingSettings { circuit, recovery, board, .. } = &self.sharing;
        match self.told {
            Some(State::Open) => self.seen = Some(board.publish_open(circuit, *recovery)?),
            Some(_) => self.seen = Some(board.publish_closed(circuit)?),
            None => {}
        }
        self.told = None;
        match board.latest(circuit)? {
            Some(news) if self.seen != Some(news.version) => {
                self.seen = Some(news.version);
                apply(breaker, news);
            }
            // No new update, or the shared state lost its data: keep the local state.
            _ => {}
        }
        Ok(())
    }
}

fn apply(breaker: &CircuitBreaker, news: CircuitUpdate) {
    match news.open_for {
        // The open time has passed: the update was read late, or a stopped replica left it. Keep the
        // local state, which local calls decided.
        Some(Duration::ZERO) => {}
        Some(open_for) => breaker.trip(open_for),
        None => breaker.reset(),
    }
}

/// Every error counts as a failure.
impl<B: SharedCircuits> SharedCircuits for Breaker<B> {
    fn publish_open(&self, circuit: &str, open_for: Duration) -> Result<u64, SharedCircuitsError> {
        self.call_counting_all(|board| board.publish_open(circuit, open_for), is_open)
    }

    fn publish_closed(&self, circuit: &str) -> Result<u64, SharedCircuitsError> {
        self.call_counting_all(|board| board.publish_closed(circuit), is_open)
    }

    fn latest(&self, circuit: &str) -> Result<Option<CircuitUpdate>, SharedCircuitsError> {
        self.call_counting_all(|board| board.latest(circuit), is_open)
    }

    fn claim_probe(&self, circuit: &str, lease: Duration) -> Result<Option<Duration>, SharedCircuitsError> {
        self.call_counting_all(|board| board.claim_probe(circuit, lease), is_open)
    }
}

fn is_open() -> SharedCircuitsError {
    SharedCircuitsError("the board's own circuit is open".to_owned())
}
