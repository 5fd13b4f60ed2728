//! Permit for one call, which reports a failure when dropped.

use super::circuit::Circuit;
use super::{Outcome, Ticket};
use crate::sync::Arc;
use std::fmt;

/// Permit for one call. Report the outcome with [`success`](Self::success), [`failure`](Self::failure)
/// or [`neutral`](Self::neutral). A permit dropped without an outcome, as in a panic or a cancelled
/// future, counts as a failure. Only [`std::mem::forget`] or a call that never ends can leak it.
///
/// ```
/// use portcullis_resilience::{CircuitBreaker, CircuitOpen, BreakerSettings, State};
/// let breaker = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(1));
/// breaker.acquire()?.success();
/// assert_eq!(breaker.snapshot().state, State::Closed);
/// drop(breaker.acquire()?);
/// assert_eq!(breaker.snapshot().state, State::Open);
/// # Ok::<(), CircuitOpen>(())
/// ```
#[must_use = "a permit that is dropped counts as a failed call"]
pub struct Permit {
    circuit: Arc<Circuit>,
    ticket: Option<Ticket>,
}

impl Permit {
    pub(super) fn new(circuit: Arc<Circuit>, ticket: Ticket) -> Self {
        Self { circuit, ticket: Some(ticket) }
    }

    /// Reports that the dependency works.
    pub fn success(mut self) {
        self.settle(Outcome::Success);
    }

    /// Reports that the dependency failed.
    pub fn failure(mut self) {
        self.settle(Outcome::Failure);
    }

    /// Reports that the dependency failed, and why: a short text for operators, without secrets. Listeners get
    /// the cause of the first failure in a row ([`Transition`](super::Transition)).
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, CircuitOpen, BreakerSettings};
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let breaker = CircuitBreaker::builder(BreakerSettings::default().with_failure_threshold(1))
    ///     .on_transition(move |change| sender.send(change.cause.clone()).unwrap_or_default())
    ///     .build();
    /// breaker.acquire()?.failure_because("connection refused");
    /// assert_eq!(receiver.recv(), Ok(Some("connection refused".to_owned())));
    /// # Ok::<(), CircuitOpen>(())
    /// ```
    pub fn failure_because(mut self, cause: impl Into<String>) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.fail(ticket, cause.into());
        }
    }

    /// Reports that the call did not reach the dependency. Releases the permit and keeps the failure
    /// count.
    ///
    /// ```
    /// # use portcullis_resilience::{CircuitBreaker, CircuitOpen, BreakerSettings};
    /// let breaker = CircuitBreaker::new(BreakerSettings::default());
    /// breaker.acquire()?.failure();
    /// breaker.acquire()?.neutral();
    /// assert_eq!(breaker.snapshot().consecutive_failures, 1);
    /// # Ok::<(), CircuitOpen>(())
    /// ```
    pub fn neutral(mut self) {
        self.settle(Outcome::Neutral);
    }

    fn settle(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.settle(ticket, outcome);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(Outcome::Failure);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}
