//! Errors of calls through a breaker.

use std::time::Duration;

/// Error: the circuit admits no call now.
///
/// ```
/// use portcullis_resilience::CircuitOpen;
/// use std::time::Duration;
/// let open = CircuitOpen { retry_after: Duration::from_secs(30) };
/// assert_eq!(open.to_string(), "the circuit is open, next try in 30s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open, next try in {retry_after:?}")]
pub struct CircuitOpen {
    /// Time until a call may pass; greater than zero. While probes run, this is an estimate: 1 s, or
    /// the recovery timeout if that is shorter.
    pub retry_after: Duration,
}

/// Error of a call through a breaker.
///
/// ```
/// use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings};
/// let breaker = CircuitBreaker::new(BreakerSettings::default());
/// assert_eq!(breaker.call(|| Err::<(), _>("refused")), Err(CallError::Failed("refused")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The call was not made.
    #[error(transparent)]
    Open(#[from] CircuitOpen),
    /// The call was made and returned this error.
    #[error(transparent)]
    Failed(E),
}
