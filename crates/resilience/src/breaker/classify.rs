//! Classification of errors: failures of the dependency, or not.

/// Decides which errors count as failures. Implemented for every `Fn(&E) -> bool`.
///
/// ```
/// use portcullis_resilience::Classify;
/// let is_outage = |status: &u16| *status >= 500;
/// assert!(is_outage.counts(&503) && !is_outage.counts(&404));
/// ```
pub trait Classify<E> {
    /// Returns whether the error is a failure of the dependency. Other errors count as success, because
    /// the dependency did respond.
    fn counts(&self, error: &E) -> bool;
}

impl<E, F: Fn(&E) -> bool> Classify<E> for F {
    fn counts(&self, error: &E) -> bool {
        self(error)
    }
}

/// Counts every error. Default of [`CircuitBreaker`](super::CircuitBreaker).
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
