//! Which errors count as failures of the thing that is guarded.

/// Says which errors count. Any `Fn(&E) -> bool` does.
///
/// ```
/// use portcullis_resilience::Classify;
/// let is_outage = |status: &u16| *status >= 500;
/// assert!(is_outage.counts(&503) && !is_outage.counts(&404));
/// ```
pub trait Classify<E> {
    /// Whether this error is the guarded thing's failure. One that is not counts as a success:
    /// the thing did answer.
    fn counts(&self, error: &E) -> bool;
}

impl<E, F: Fn(&E) -> bool> Classify<E> for F {
    fn counts(&self, error: &E) -> bool {
        self(error)
    }
}

/// Every error counts: what a [`CircuitBreaker`](super::CircuitBreaker) does until told otherwise.
///
/// ```
/// use portcullis_resilience::{Classify, EveryError};
/// assert!(EveryError.counts(&"anything"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EveryError;

impl<E> Classify<E> for EveryError {
    fn counts(&self, _: &E) -> bool {
        true
    }
}
