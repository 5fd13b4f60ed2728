//! The state machine behind a short lock, with a clock and listeners. Neither the clock, nor a
//! listener, nor a call ever runs under the lock.

use super::{CircuitOpen, Machine, Outcome, Permit, Snapshot, Ticket, Transition};
use crate::sync::{Arc, Mutex, lock};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;
pub(super) type Listener = Box<dyn Fn(&Transition) + Send + Sync>;

/// What all handles of one breaker share.
pub(super) struct Circuit {
    clock: Clock,
    listeners: Vec<Listener>,
    guarded: Mutex<Guarded>,
}

struct Guarded {
    machine: Machine,
    /// Changes that the listeners have not been told yet, in order.
    untold: VecDeque<Transition>,
    /// Whether a thread is telling them. It tells those too that come meanwhile, so that
    /// listeners hear of changes one by one and in order without a lock around them.
    telling: bool,
}

impl Circuit {
    pub(super) fn new(machine: Machine, clock: Clock, listeners: Vec<Listener>) -> Self {
        Self { clock, listeners, guarded: Mutex::new(Guarded { machine, untold: VecDeque::new(), telling: false }) }
    }

    pub(super) fn acquire(circuit: &Arc<Self>) -> Result<Permit, CircuitOpen> {
        circuit.step(Machine::admit).map(|ticket| Permit::new(Arc::clone(circuit), ticket))
    }

    pub(super) fn settle(&self, ticket: Ticket, outcome: Outcome) {
        self.step(|machine, now| machine.settle(ticket, outcome, now));
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = (self.clock)();
        lock(&self.guarded).machine.snapshot(now)
    }

    fn step<T>(&self, step: impl FnOnce(&mut Machine, Duration) -> T) -> T {
        let at = (self.clock)();
        let mut guarded = lock(&self.guarded);
        let from = guarded.machine.state();
        let result = step(&mut guarded.machine, at);
        let to = guarded.machine.state();
        if from != to && !self.listeners.is_empty() {
            guarded.untold.push_back(Transition { from, to, at });
            let told_by_another = std::mem::replace(&mut guarded.telling, true);
            drop(guarded);
            if !told_by_another {
                self.tell();
            }
        }
        result
    }

    fn tell(&self) {
        while let Some(transition) = self.next_untold() {
            for listener in &self.listeners {
                // A listener that panics must not take the call with it, nor end the telling.
                let _ = catch_unwind(AssertUnwindSafe(|| listener(&transition)));
            }
        }
    }

    fn next_untold(&self) -> Option<Transition> {
        let mut guarded = lock(&self.guarded);
        let next = guarded.untold.pop_front();
        guarded.telling = next.is_some();
        next
    }
}
