//! Reference model of the circuit breaker, written from its specification and compared with the real one at
//! every call.

use portcullis_domain::health::CircuitState;
use std::time::Duration;

/// Consecutive outages that open the circuit.
pub(crate) const THRESHOLD: u32 = 5;
/// Time the open circuit refuses every call.
pub(crate) const RECOVERY: Duration = Duration::from_secs(2);
/// Retry delay reported to callers while a probe runs.
const WHILE_PROBING: Duration = Duration::from_secs(1);

/// Evidence of a call about the store's availability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Up,
    Down,
    Nothing,
}

/// Circuit of the model.
#[derive(Debug)]
pub(crate) struct Circuit {
    phase: Phase,
    /// Counts state changes. A call's outcome counts only in the era it began in.
    era: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed { outages: u32 },
    Open { until: Duration },
    HalfOpen { probing: bool },
}

impl Circuit {
    pub(crate) fn new() -> Self {
        Self { phase: Phase::Closed { outages: 0 }, era: 0 }
    }

    /// Returns the era if the call is admitted, otherwise the time until a retry.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<u64, Duration> {
        match self.phase {
            Phase::Closed { .. } => Ok(self.era),
            Phase::Open { until } if now < until => Err(until - now),
            Phase::HalfOpen { probing: true } => Err(WHILE_PROBING),
            Phase::Open { .. } => {
                self.turn(Phase::HalfOpen { probing: true });
                Ok(self.era)
            }
            Phase::HalfOpen { probing: false } => {
                self.phase = Phase::HalfOpen { probing: true };
                Ok(self.era)
            }
        }
    }

    /// Records how a call ended. Returns the resulting event, if any.
    pub(crate) fn settle(&mut self, era: u64, outcome: Outcome, now: Duration) -> Option<&'static str> {
        if era != self.era {
            return Some("late answer ignored by the circuit");
        }
        let open = Phase::Open { until: now + RECOVERY };
        match (self.phase, outcome) {
            (Phase::Closed { .. }, Outcome::Up) => self.phase = Phase::Closed { outages: 0 },
            (Phase::Closed { outages }, Outcome::Down) if outages + 1 >= THRESHOLD => {
                self.turn(open);
                return Some("circuit opened");
            }
            (Phase::Closed { outages }, Outcome::Down) => self.phase = Phase::Closed { outages: outages + 1 },
            (Phase::HalfOpen { .. }, Outcome::Up) => {
                self.turn(Phase::Closed { outages: 0 });
                return Some("circuit closed by a probe");
            }
            (Phase::HalfOpen { .. }, Outcome::Down) => {
                self.turn(open);
                return Some("circuit opened again by a probe");
            }
            (Phase::HalfOpen { .. }, Outcome::Nothing) => self.phase = Phase::HalfOpen { probing: false },
            (Phase::Closed { .. }, Outcome::Nothing) | (Phase::Open { .. }, _) => {}
        }
        None
    }

    pub(crate) fn state(&self) -> CircuitState {
        match self.phase {
            Phase::Closed { .. } => CircuitState::Closed,
            Phase::Open { .. } => CircuitState::Open,
            Phase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}
