//! Rules of the circuit breaker: a pure state machine that gets the time as an argument. `circuit`
//! adds the lock; `permit` adds a guard that reports a failure when dropped.

use super::{BreakerSettings, CircuitOpen, Snapshot, State, Totals};
use std::collections::VecDeque;
use std::time::Duration;

/// `retry_after` of calls refused while probes run. An estimate, because the end of a probe is
/// unknown.
const PROBING_RETRY: Duration = Duration::from_secs(1);

/// Outcome of a call.
///
/// ```
/// use portcullis_resilience::breaker::{Machine, Outcome};
/// # use portcullis_resilience::{CircuitOpen, BreakerSettings};
/// # use std::time::Duration;
/// let mut machine = Machine::new(BreakerSettings::default());
/// let ticket = machine.admit(Duration::ZERO)?;
/// machine.settle(ticket, Outcome::Neutral, Duration::ZERO);
/// # Ok::<(), CircuitOpen>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The dependency works.
    Success,
    /// The dependency failed.
    Failure,
    /// Unknown, because the call did not reach the dependency. A probe's permit becomes free again.
    Neutral,
}

/// Permission to make one call, without a guard. Report the outcome once with [`Machine::settle`], on
/// the machine that issued the ticket. If a ticket is dropped instead, its call counts as running until
/// the call timeout, which is unlimited by default. [`Permit`](super::Permit) prevents that.
///
/// ```
/// use portcullis_resilience::breaker::{Machine, Ticket};
/// # use portcullis_resilience::{CircuitOpen, BreakerSettings};
/// # use std::time::Duration;
/// let ticket: Ticket = Machine::new(BreakerSettings::default()).admit(Duration::ZERO)?;
/// # drop(ticket);
/// # Ok::<(), CircuitOpen>(())
/// ```
#[derive(Debug)]
#[must_use = "a ticket that is not settled keeps its place for ever"]
pub struct Ticket {
    number: u64,
    generation: u64,
}

/// Circuit breaker without lock and clock. `now` is the time since a fixed moment. If it goes back,
/// the elapsed time counts as zero.
///
/// ```
/// use portcullis_resilience::breaker::{Machine, Outcome};
/// use portcullis_resilience::{BreakerSettings, State};
/// use std::time::Duration;
/// let at = Duration::from_secs;
///
/// let mut machine = Machine::new(BreakerSettings::default().with_failure_threshold(1));
/// let ticket = machine.admit(at(0))?;
/// machine.settle(ticket, Outcome::Failure, at(1));
/// assert_eq!(machine.state(), State::Open);
/// assert_eq!(machine.admit(at(11)).map_err(|open| open.retry_after).err(), Some(at(20)));
///
/// let probe = machine.admit(at(31))?;
/// assert!(machine.admit(at(31)).is_err(), "one probe at a time");
/// machine.settle(probe, Outcome::Success, at(32));
/// assert_eq!(machine.state(), State::Closed);
/// # Ok::<(), portcullis_resilience::CircuitOpen>(())
/// ```
#[derive(Debug)]
pub struct Machine {
    settings: BreakerSettings,
    phase: Phase,
    /// Incremented on every change of state. Outcomes of tickets from an earlier generation do not
    /// affect the state: a failure from before the outage must not fail the probe after it.
    generation: u64,
    totals: Totals,
    /// Calls without an outcome, oldest first. Those that run for longer than the call timeout are counted
    /// as failed and removed.
    running: VecDeque<RunningCall>,
    /// Number of the next ticket.
    next: u64,
    /// Cause of the first of the failures in a row, or of the probe that failed.
    cause: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct RunningCall {
    number: u64,
    generation: u64,
    since: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
    },
    /// `admitted` counts running and succeeded probes.
    HalfOpen {
        admitted: u32,
        succeeded: u32,
    },
}

impl Machine {
    /// Creates a closed circuit.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        let phase = Phase::Closed { failures: 0 };
        let (totals, running) = (Totals::default(), VecDeque::new());
        Self { settings, phase, generation: 0, totals, running, next: 0, cause: None }
    }

    /// Admits a call. An open circuit past its recovery timeout becomes half-open.
    ///
    /// # Errors
    /// Returns [`CircuitOpen`] if the call must not be made.
    pub fn admit(&mut self, now: Duration) -> Result<Ticket, CircuitOpen> {
        self.expire(now);
        if self.is_due(now) {
            self.enter(Phase::HalfOpen { admitted: 0, succeeded: 0 });
        }
        let retry_after = match &mut self.phase {
            Phase::Closed { .. } => return Ok(self.issue(now)),
            Phase::HalfOpen { admitted, .. } if *admitted < self.settings.half_open_max_calls() => {
                *admitted += 1;
                return Ok(self.issue(now));
            }
            Phase::HalfOpen { .. } => self.settings.recovery_timeout().min(PROBING_RETRY),
            Phase::Open { .. } => self.remaining(now),
        };
        Err(self.refuse(retry_after))
    }

    /// Returns whether the next call would be the first probe: the circuit is open past its recovery
    /// timeout.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Open { .. }) && self.remaining(now).is_zero()
    }

    /// Counts every call that runs for longer than the call timeout as failed. Its later outcome is
    /// ignored.
    fn expire(&mut self, now: Duration) {
        while let Some(oldest) = self.running.front().copied()
            && now.saturating_sub(oldest.since) >= self.settings.call_timeout()
        {
            self.running.pop_front();
            let cause = format!("no response within {:?}", self.settings.call_timeout());
            self.count(oldest.generation, Outcome::Failure, Some(cause), now);
        }
    }

    /// Counts a refused call and returns its error.
    pub(super) fn refuse(&mut self, retry_after: Duration) -> CircuitOpen {
        self.totals.refused += 1;
        CircuitOpen { retry_after }
    }

    /// Opens the circuit because of external evidence of an outage, for `wait` from now, capped at the
    /// recovery timeout. If it is already open, the longer time applies.
    pub fn trip(&mut self, wait: Duration, now: Duration) {
        let until = now.saturating_add(wait.min(self.settings.recovery_timeout()));
        match &mut self.phase {
            Phase::Open { until: before } => *before = until.max(*before),
            _ => {
                self.cause = None;
                self.enter(Phase::Open { until });
            }
        }
    }

    /// Closes the circuit because of external evidence that the dependency is available again.
    pub fn reset(&mut self) {
        if self.state() != State::Closed {
            self.enter(Phase::Closed { failures: 0 });
        }
    }

    fn opened(&self, now: Duration) -> Phase {
        Phase::Open { until: now.saturating_add(self.settings.recovery_timeout()) }
    }

    /// Reports the outcome of an admitted call. A ticket from before the last change of state is
    /// counted, but does not affect the state. One whose call timeout has passed was counted then.
    pub fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) {
        self.conclude(ticket, outcome, None, now);
    }

    /// Reports that an admitted call failed, and why. Otherwise like [`settle`](Self::settle).
    pub fn fail(&mut self, ticket: Ticket, cause: String, now: Duration) {
        self.conclude(ticket, Outcome::Failure, Some(cause), now);
    }

    /// Returns the cause of the first of the failures in a row, or of the probe that failed. `None` if it is
    /// unknown, or all is well.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    fn conclude(&mut self, ticket: Ticket, outcome: Outcome, cause: Option<String>, now: Duration) {
        self.expire(now);
        if let Ok(place) = self.running.binary_search_by_key(&ticket.number, |call| call.number) {
            self.running.remove(place);
            self.count(ticket.generation, outcome, cause, now);
        }
    }

    fn count(&mut self, generation: u64, outcome: Outcome, cause: Option<String>, now: Duration) {
        match outcome {
            Outcome::Success => self.totals.successes += 1,
            Outcome::Failure => self.totals.failures += 1,
            Outcome::Neutral => self.totals.neutral += 1,
        }
        if generation == self.generation {
            self.apply(outcome, cause, now);
        }
    }

    fn apply(&mut self, outcome: Outcome, cause: Option<String>, now: Duration) {
        match (&mut self.phase, outcome) {
            (Phase::Closed { failures }, Outcome::Success) => (*failures, self.cause) = (0, None),
            (Phase::Closed { failures }, Outcome::Failure) => {
                if *failures == 0 {
                    self.cause = cause;
                }
                *failures += 1;
                if *failures >= self.settings.failure_threshold() {
                    self.enter(self.opened(now));
                }
            }
            (Phase::HalfOpen { succeeded, .. }, Outcome::Success) => {
                *succeeded += 1;
                if *succeeded >= self.settings.half_open_max_calls() {
                    self.enter(Phase::Closed { failures: 0 });
                }
            }
            (Phase::HalfOpen { .. }, Outcome::Failure) => {
                self.cause = cause;
                self.enter(self.opened(now));
            }
            (Phase::HalfOpen { admitted, .. }, Outcome::Neutral) => *admitted = admitted.saturating_sub(1),
            (Phase::Closed { .. }, Outcome::Neutral) | (Phase::Open { .. }, _) => {}
        }
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Returns the state and the counts. May open the circuit, if the time of calls is over.
    #[must_use]
    pub fn snapshot(&mut self, now: Duration) -> Snapshot {
        self.expire(now);
        let (consecutive_failures, probes) = match self.phase {
            Phase::Closed { failures } => (failures, 0),
            Phase::Open { .. } => (0, 0),
            Phase::HalfOpen { admitted, succeeded } => (0, admitted.saturating_sub(succeeded)),
        };
        let running = self.running.iter().filter(|call| call.generation == self.generation).count();
        let (retry_after, totals) = (self.remaining(now), self.totals);
        Snapshot { state: self.state(), consecutive_failures, running, probes, retry_after, totals }
    }

    fn remaining(&self, now: Duration) -> Duration {
        match self.phase {
            Phase::Open { until } => until.saturating_sub(now).min(self.settings.recovery_timeout()),
            Phase::Closed { .. } | Phase::HalfOpen { .. } => Duration::ZERO,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
        match self.state() {
            State::Open => self.totals.opened += 1,
            State::Closed => self.cause = None,
            State::HalfOpen => {}
        }
    }

    fn issue(&mut self, now: Duration) -> Ticket {
        let (number, generation) = (self.next, self.generation);
        self.next += 1;
        self.running.push_back(RunningCall { number, generation, since: now });
        Ticket { number, generation }
    }
}
