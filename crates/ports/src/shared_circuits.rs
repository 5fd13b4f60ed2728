//! Circuit state shared between replicas.

use std::time::Duration;

/// Latest update of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitUpdate {
    /// Version, different for each update of the circuit.
    pub version: u64,
    /// Time the circuit stays open from now, zero if it has passed; `None` if the circuit was closed.
    pub open_for: Option<Duration>,
}

/// Shares circuit state between replicas. Do not rely on it: it may be unavailable and may lose its
/// data. Every method returns [`SharedCircuitsError`] if it is unreachable.
///
/// ```
/// use portcullis_ports::{SharedCircuitsError, SharedCircuits};
/// use std::time::Duration;
/// fn may_probe(circuits: &dyn SharedCircuits) -> bool {
///     // If the shared state is unavailable, decide locally.
///     circuits.claim_probe("database", Duration::from_secs(9)).unwrap_or(None).is_none()
/// }
/// ```
pub trait SharedCircuits: Send + Sync {
    /// Publishes that a circuit has opened for `open_for`. Returns the version of the update.
    fn publish_open(&self, circuit: &str, open_for: Duration) -> Result<u64, SharedCircuitsError>;

    /// Publishes that a circuit has closed, and releases its probe. Returns the version of the update.
    fn publish_closed(&self, circuit: &str) -> Result<u64, SharedCircuitsError>;

    /// Returns the latest update of a circuit by any replica, or `None` if there is none.
    fn latest(&self, circuit: &str) -> Result<Option<CircuitUpdate>, SharedCircuitsError>;

    /// Claims the probe of a circuit for `lease`. Returns `None` to the one replica that gets it, even
    /// if it claims again during its lease. Returns the remaining lease to all others.
    fn claim_probe(&self, circuit: &str, lease: Duration) -> Result<Option<Duration>, SharedCircuitsError>;
}

/// Error: the shared circuit state is unreachable, or its server did not respond in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the circuits of other replicas cannot be read: {0}")]
pub struct SharedCircuitsError(pub String);
