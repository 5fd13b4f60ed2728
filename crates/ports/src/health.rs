//! Status of circuit breakers.

use portcullis_domain::health::CircuitState;
use std::time::Duration;

/// Status of a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitStatus {
    /// Name of the guarded dependency, such as `database`.
    pub name: &'static str,
    /// Current state.
    pub state: CircuitState,
    /// Time until the next call may pass; zero unless open.
    pub retry_after: Duration,
}

/// Reports the status of a circuit. Must not block.
///
/// ```
/// use portcullis_domain::health::CircuitState;
/// use portcullis_ports::{CircuitMonitor, CircuitStatus};
/// struct Always(CircuitState);
/// impl CircuitMonitor for Always {
///     fn status(&self) -> CircuitStatus {
///         CircuitStatus { name: "database", state: self.0, retry_after: Default::default() }
///     }
/// }
/// assert_eq!(Always(CircuitState::Open).status().state.as_str(), "open");
/// ```
pub trait CircuitMonitor: Send + Sync {
    /// Returns the current status.
    fn status(&self) -> CircuitStatus;
}
