//! What replicas tell each other of their circuits.

use std::time::Duration;

/// What was last told of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitUpdate {
    /// Tells it from every other piece of news of the circuit.
    pub version: u64,
    /// For how long the circuit stays open from now, zero if that time is over; none if it was
    /// closed.
    pub open_for: Option<Duration>,
}

/// Where replicas tell of their circuits. Nothing there may be relied on: it can be gone, and it
/// can forget.
///
/// ```
/// use portcullis_ports::{SharedCircuitsError, SharedCircuits};
/// use std::time::Duration;
/// fn may_probe(board: &dyn SharedCircuits) -> bool {
///     // Who cannot ask goes by what it knows itself.
///     board.claim_probe("database", Duration::from_secs(9)).unwrap_or(None).is_none()
/// }
/// ```
pub trait SharedCircuits: Send + Sync {
    /// Tells that a circuit has opened for a time; the number of the news.
    ///
    /// # Errors
    /// [`SharedCircuitsError`].
    fn publish_open(&self, circuit: &str, open_for: Duration) -> Result<u64, SharedCircuitsError>;

    /// Tells that a circuit has closed, and gives a claimed probe free; the number of the news.
    ///
    /// # Errors
    /// [`SharedCircuitsError`].
    fn publish_closed(&self, circuit: &str) -> Result<u64, SharedCircuitsError>;

    /// What was last told of a circuit, by whomever; none where it is not known.
    ///
    /// # Errors
    /// [`SharedCircuitsError`].
    fn latest(&self, circuit: &str) -> Result<Option<CircuitUpdate>, SharedCircuitsError>;

    /// Claims the probe of a circuit for a time. Of any number of replicas one gets it, and gets
    /// it again while it has it: `None`. The others are told how long it is taken.
    ///
    /// # Errors
    /// [`SharedCircuitsError`].
    fn claim_probe(&self, circuit: &str, lease: Duration) -> Result<Option<Duration>, SharedCircuitsError>;
}

/// The board cannot be reached, or did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the circuits of other replicas cannot be read: {0}")]
pub struct SharedCircuitsError(pub String);
