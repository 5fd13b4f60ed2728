//! What a breaker tells of itself: its state, a change of it, and its counts.

use std::time::Duration;

/// What a circuit does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused at once.
    Open,
    /// A few calls pass, to see whether the dependency is back.
    HalfOpen,
}

impl State {
    /// The state's name: `closed`, `open`, `half_open`.
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

/// A change of state, as listeners are told it.
///
/// ```
/// use portcullis_resilience::{State, Transition};
/// use std::time::Duration;
/// let change = Transition { from: State::Closed, to: State::Open, at: Duration::from_secs(7), commanded: false };
/// assert_eq!(change.to.as_str(), "open");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// When, by the breaker's monotonic clock.
    pub at: Duration,
    /// Whether the change was commanded, by `trip` or `reset`, and not what calls told.
    pub commanded: bool,
}

/// A breaker's state and counts at one moment.
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
    /// What the circuit does with calls. An open circuit becomes half-open by the first call
    /// after its time, so until then it says open, with a `retry_after` of zero.
    pub state: State,
    /// Failures since the last success; zero unless closed.
    pub consecutive_failures: u32,
    /// Probes that run now; zero unless half-open.
    pub probes: u32,
    /// How long until a probe may pass; zero unless open.
    pub retry_after: Duration,
    /// Counts since the breaker was made.
    pub totals: Totals,
}

/// Counts since a breaker was made. A call is counted when it ends, also where it began so long
/// ago that its outcome no longer bears on the state.
///
/// ```
/// assert_eq!(portcullis_resilience::Totals::default().opened, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls that succeeded, or failed in a way that does not count.
    pub successes: u64,
    /// Calls that failed, panicked or were dropped.
    pub failures: u64,
    /// Calls that told nothing.
    pub neutral: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// How many times the circuit opened, after a failed probe included.
    pub opened: u64,
}
