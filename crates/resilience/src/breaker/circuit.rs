//! State machine behind a mutex, with clock and listeners. The mutex is held briefly: clock, listeners
//! and calls never run under it.

use super::{CircuitOpen, Machine, Outcome, Permit, Snapshot, State, Ticket, Transition};
use crate::sync::{Arc, Mutex, lock};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;
pub(super) type Listener = Box<dyn Fn(&Transition) + Send + Sync>;
pub(super) type Gate = Box<dyn Fn() -> Option<Duration> + Send + Sync>;

/// `retry_after` of calls refused while another thread runs the probe gate.
const GATE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// State shared by all handles of a breaker.
pub(super) struct Circuit {
    clock: Clock,
    listeners: Vec<Listener>,
    gate: Option<Gate>,
    guarded: Mutex<Guarded>,
}

struct Guarded {
    machine: Machine,
    /// Transitions not yet delivered to the listeners, in order.
    pending_transitions: VecDeque<Transition>,
    /// True while a thread notifies the listeners. It also delivers transitions that arrive in the
    /// meantime, so that listeners run one at a time and in order without a lock.
    notifying: bool,
    /// True while a thread runs the gate.
    asking_gate: bool,
    /// Time when the circuit was last closed, unless it is.
    closed_until: Duration,
}

impl Circuit {
    pub(super) fn new(machine: Machine, clock: Clock, listeners: Vec<Listener>, gate: Option<Gate>) -> Self {
        let (pending_transitions, closed_until) = (VecDeque::new(), Duration::ZERO);
        let guarded = Guarded { machine, pending_transitions, notifying: false, asking_gate: false, closed_until };
        Self { clock, listeners, gate, guarded: Mutex::new(guarded) }
    }

    pub(super) fn acquire(circuit: &Arc<Self>) -> Result<Permit, CircuitOpen> {
        circuit.pass_gate()?;
        circuit.step(false, Machine::admit).map(|ticket| Permit::new(Arc::clone(circuit), ticket))
    }

    pub(super) fn settle(&self, ticket: Ticket, outcome: Outcome) {
        self.step(false, |machine, now| machine.settle(ticket, outcome, now));
    }

    pub(super) fn fail(&self, ticket: Ticket, cause: String) {
        self.step(false, |machine, now| machine.fail(ticket, cause, now));
    }

    pub(super) fn trip(&self, wait: Duration) {
        self.step(true, |machine, now| machine.trip(wait, now));
    }

    pub(super) fn reset(&self) {
        self.step(true, |machine, _| machine.reset());
    }

    /// Runs the gate before a call becomes a probe, one thread at a time and outside the lock.
    /// Concurrent calls are refused instead of waiting for its result.
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
        // A gate that panics must not keep the circuit open forever, so the call passes.
        let wait = catch_unwind(AssertUnwindSafe(gate)).unwrap_or_default();
        let now = (self.clock)();
        let mut guarded = lock(&self.guarded);
        guarded.asking_gate = false;
        let Some(wait) = wait else { return Ok(()) };
        guarded.machine.trip(wait, now);
        Err(guarded.machine.refuse(wait))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.step(false, Machine::snapshot)
    }

    fn step<T>(&self, commanded: bool, step: impl FnOnce(&mut Machine, Duration) -> T) -> T {
        let at = (self.clock)();
        let mut guarded = lock(&self.guarded);
        let from = guarded.machine.state();
        let result = step(&mut guarded.machine, at);
        let to = guarded.machine.state();
        if from != to && !self.listeners.is_empty() {
            if from == State::Closed {
                guarded.closed_until = at;
            }
            let open_for = at.saturating_sub(guarded.closed_until);
            let cause = guarded.machine.cause().map(str::to_owned);
            guarded.pending_transitions.push_back(Transition { from, to, at, open_for, cause, commanded });
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
                // A panicking listener must not fail the call or stop further notifications.
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
