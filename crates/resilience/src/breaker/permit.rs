//! The right to make one call, which cannot be lost: dropped unsaid, it reports a failure.

use super::circuit::Circuit;
use super::{Outcome, Ticket};
use crate::sync::Arc;
use std::fmt;

/// The right to make one call. Say how it went by [`success`](Self::success) or
/// [`failure`](Self::failure); dropped without either, as by a panic or a cancelled future, it
/// counts as a failure. Only [`std::mem::delete_for_user`] can lose it, and a call that never ends.
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

    /// The guarded thing works.
    pub fn success(mut self) {
        self.settle(Outcome::Success);
    }

    /// The guarded thing failed.
    pub fn failure(mut self) {
        self.settle(Outcome::Failure);
    }

    /// The call told nothing of the guarded thing, for it did not get as far. The place goes
    /// back; a count of failures stays as it is.
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
