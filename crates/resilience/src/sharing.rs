//! A circuit that replicas share: one replica's trip opens all, and one of them probes. What they
//! tell each other goes by a board that may be lost; each goes by what it knows itself then.

use crate::breaker::Builder;
use crate::{Breaker, CircuitBreaker, State, Transition};
use portcullis_ports::{CircuitUpdate, SharedCircuits, SharedCircuitsError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How often the board is looked at: about as late as this a trip elsewhere opens the circuit here.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What a circuit is shared by.
#[derive(Clone)]
pub struct SharingSettings {
    /// The circuit's name, the same at all replicas.
    pub circuit: &'static str,
    /// How long the circuit stays open: its recovery time.
    pub recovery: Duration,
    /// How long a probe may take: its probe time-out.
    pub probe: Duration,
    /// Where replicas tell of their circuits.
    pub board: Arc<dyn SharedCircuits>,
}

/// Builds a circuit that is shared. A thread of its own tells the others of its changes and it of
/// theirs, for as long as the process runs; only the question whether a call may be the probe is
/// asked by the call itself.
///
/// # Errors
/// Those of the operating system, where it has no thread to give.
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

/// Hands changes on, without waiting. What others commanded they know.
fn forward_transitions(tell: SyncSender<State>) -> impl Fn(&Transition) + Send + Sync + 'static {
    move |change| {
        if !change.commanded {
            // A circuit that changes faster than it is told changes again soon.
            let _ = tell.try_send(change.to);
        }
    }
}

struct CircuitSync {
    sharing: SharingSettings,
    /// What the others were not told yet.
    told: Option<State>,
    /// The number of the last news that was looked at.
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
            // A board that is lost is told when it is back, and decides nothing until then.
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
            // What the board has forgotten says nothing.
            _ => {}
        }
        Ok(())
    }
}

fn apply(breaker: &CircuitBreaker, news: CircuitUpdate) {
    match news.open_for {
        // Read late, or left by a replica that is gone: a circuit that is closed here has reason to
        // be, and one that is open is so by itself.
        Some(Duration::ZERO) => {}
        Some(open_for) => breaker.trip(open_for),
        None => breaker.reset(),
    }
}

/// Asks a board while it answers.
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
