//! The state machine behind a short lock, with a clock and listeners. Neither the clock, nor a
//! listener, nor a call ever runs under the lock.

use super::{CircuitOpen, Machine, Outcome, Permit, Snapshot, Ticket, Transition};
use crate::sync::{Arc, Mutex, lock};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;
pub(super) type Listener = Box<dyn Fn(&Transition) + Send + Sync>;
pub(super) type Gate = Box<dyn Fn() -> Option<Duration> + Send + Sync>;

/// What those are told to wait who are refused while another asks at the gate.
const GATE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What all handles of one breaker share.
pub(super) struct Circuit {
    clock: Clock,
    listeners: Vec<Listener>,
    gate: Option<Gate>,
    guarded: Mutex<Guarded>,
}

struct Guarded {
    machine: Machine,
    /// Changes that the listeners have not been told yet, in order.
    pending_transitions: VecDeque<Transition>,
    /// Whether a thread is telling them. It tells those too that come meanwhile, so that
    /// listeners hear of changes one by one and in order without a lock around them.
    notifying: bool,
    /// Whether a thread is at the gate.
    asking_gate: bool,
}

impl Circuit {
    pub(super) fn new(machine: Machine, clock: Clock, listeners: Vec<Listener>, gate: Option<Gate>) -> Self {
        let guarded = Guarded { machine, pending_transitions: VecDeque::new(), notifying: false, asking_gate: false };
        Self { clock, listeners, gate, guarded: Mutex::new(guarded) }
    }

    pub(super) fn acquire(circuit: &Arc<Self>) -> Result<Permit, CircuitOpen> {
        circuit.pass_gate()?;
        circuit.step(false, Machine::admit).map(|ticket| Permit::new(Arc::clone(circuit), ticket))
    }

    pub(super) fn settle(&self, ticket: Ticket, outcome: Outcome) {
        self.step(false, |machine, now| machine.settle(ticket, outcome, now));
    }

    pub(super) fn trip(&self, wait: Duration) {
        self.step(true, |machine, now| machine.trip(wait, now));
    }

    pub(super) fn reset(&self) {
        self.step(true, |machine, _| machine.reset());
    }

    /// Asks the gate before a call becomes a probe, one thread at a time and outside the lock. The
    /// others are refused meanwhile: a crowd must not wait for what one of it is told.
    fn pass_gate(&self) -> Result<(), CircuitOpen> {
        let Some(gate) = &self.gate else { return Ok(()) };
        let now = (self.clock)();
        let mut guarded = lock(&self.guarded);
        if !guarded.machine.is_due(now) {
            return Ok(());
        }
        if std::mem::replace(&mut guarded.asking_gate, true) {
            return Err(guarded.machine.refuse(GATE_RETRY_AFTER));
        }
        drop(guarded);
        // A gate that panics lets pass: it must not keep the circuit open for ever.
        let wait = catch_unwind(AssertUnwindSafe(gate)).unwrap_or_default();
        let now = (self.clock)();
        let mut guarded = lock(&self.guarded);
        guarded.asking_gate = false;
        let Some(wait) = wait else { return Ok(()) };
        guarded.machine.trip(wait, now);
        Err(guarded.machine.refuse(wait))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = (self.clock)();
        lock(&self.guarded).machine.snapshot(now)
    }

    fn step<T>(&self, commanded: bool, step: impl FnOnce(&mut Machine, Duration) -> T) -> T {
        let at = (self.clock)();
        let mut guarded = lock(&self.guarded);
        let from = guarded.machine.state();
        let result = step(&mut guarded.machine, at);
        let to = guarded.machine.state();
        if from != to && !self.listeners.is_empty() {
            guarded.pending_transitions.push_back(Transition { from, to, at, commanded });
            let told_by_another = std::mem::replace(&mut guarded.notifying, true);
            drop(guarded);
            if !told_by_another {
                self.notify_listeners();
            }
        }
        result
    }

    fn notify_listeners(&self) {
        while let Some(transition) = self.next_pending() {
            for listener in &self.listeners {
                // A listener that panics must not take the call with it, nor end the telling.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(&transition)));
            }
        }
    }

    fn next_pending(&self) -> Option<Transition> {
        let mut guarded = lock(&self.guarded);
        let next = guarded.pending_transitions.pop_front();
        guarded.notifying = next.is_some();
        next
    }
}
