//! What circuit breakers tell of themselves.

use portcullis_domain::health::CircuitState;
use std::time::Duration;

/// The state of one circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitStatus {
    /// Which dependency it guards: `database`, …
    pub name: &'static str,
    /// What it does with calls now.
    pub state: CircuitState,
    /// How long until it lets a call through again; zero unless it is open.
    pub retry_after: Duration,
}

/// Tells the state of a circuit. Never waits.
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
    /// The circuit's state now.
    fn status(&self) -> CircuitStatus;
}
