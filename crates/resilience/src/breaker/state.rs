//! State, transitions and counts of a breaker.

use std::time::Duration;

/// State of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused at once.
    Open,
    /// A few calls pass as probes.
    HalfOpen,
}

impl State {
    /// Returns the name: `closed`, `open` or `half_open`.
    ///
    /// ```
    /// assert_eq!(portcullis_resilience::State::HalfOpen.as_str(), "half_open");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Change of state, as passed to listeners.
///
/// ```
/// use portcullis_resilience::{State, Transition};
/// use std::time::Duration;
/// let (at, open_for) = (Duration::from_secs(7), Duration::ZERO);
/// let cause = Some("connection refused".to_owned());
/// let change = Transition { from: State::Closed, to: State::Open, at, open_for, cause, commanded: false };
/// assert_eq!(change.to.as_str(), "open");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Time, by the breaker's monotonic clock.
    pub at: Duration,
    /// Time since the circuit was last closed; zero if it was until now.
    pub open_for: Duration,
    /// Why the circuit is not closed, if calls reported it: the cause of the first failure in a row, or of the
    /// last failed probe.
    pub cause: Option<String>,
    /// True if `trip` or `reset` caused the change, not the outcome of a call.
    pub commanded: bool,
}

/// State and counts of a breaker.
///
/// ```
/// use portcullis_resilience::{CircuitBreaker, BreakerSettings, State};
/// let breaker = CircuitBreaker::new(BreakerSettings::default());
/// let _ = breaker.call(|| Err::<(), _>("refused"));
/// let snapshot = breaker.snapshot();
/// assert_eq!((snapshot.state, snapshot.consecutive_failures), (State::Closed, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// State. An open circuit becomes half-open with the first call after its recovery timeout. Until
    /// then it is reported as open with a `retry_after` of zero.
    pub state: State,
    /// Failures since the last success; zero unless closed.
    pub consecutive_failures: u32,
    /// Calls admitted in this state whose outcome is still unknown.
    pub running: usize,
    /// Running probes; zero unless half-open.
    pub probes: u32,
    /// Time until a probe may pass; zero unless open.
    pub retry_after: Duration,
    /// Counts since the breaker was created.
    pub totals: Totals,
}

/// Counts since a breaker was created. A call is counted when it ends or its call timeout has passed, even if
/// its outcome no longer affects the state.
///
/// ```
/// assert_eq!(portcullis_resilience::Totals::default().opened, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls that succeeded, or failed with an error that does not count.
    pub successes: u64,
    /// Calls that failed, panicked, were dropped or took too long.
    pub failures: u64,
    /// Calls that did not reach the dependency.
    pub neutral: u64,
    /// Refused calls.
    pub refused: u64,
    /// Number of times the circuit opened, including after failed probes.
    pub opened: u64,
}
