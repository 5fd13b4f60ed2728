//! Fault profiles of the store and the resulting fate of each call.

use crate::rng::SeededRng;
use std::time::Duration;

/// Fault profile of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultProfile {
    /// Normal operation: one call in fifty fails.
    Calm,
    /// Any fault may hit any call.
    Flaky,
    /// Nearly every call fails.
    Outage,
    /// Calls are slow, some too slow.
    Slow,
    /// No faults, for the check at the end of a run.
    Perfect,
}

/// Fate of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultDecision {
    /// Succeeds.
    Done,
    /// The store is unreachable.
    Unavailable,
    /// All connections are in use.
    Busy,
    /// A statement fails although the store responds.
    Failed,
    /// The connection breaks before the commit: nothing is stored.
    Dropped,
    /// The connection breaks after the commit: the answer is lost.
    Lost,
    /// The transaction's work panics.
    Panic,
    /// Takes this long.
    Slow(Duration),
}

impl FaultProfile {
    pub(crate) const CHANGING: [Self; 4] = [Self::Calm, Self::Flaky, Self::Outage, Self::Slow];

    /// Chooses the fate of a call.
    pub(crate) fn fate(self, dice: &SeededRng) -> FaultDecision {
        let weights: [usize; 8] = match self {
            Self::Perfect => return FaultDecision::Done,
            // Same order as the list below.
            Self::Calm => [350, 1, 1, 1, 1, 1, 1, 1],
            Self::Flaky => [60, 7, 5, 5, 7, 7, 3, 6],
            Self::Outage => [4, 86, 2, 0, 4, 4, 0, 0],
            Self::Slow => [15, 5, 5, 0, 5, 5, 0, 65],
        };
        let slow = FaultDecision::Slow(Duration::from_millis(u64::try_from(dice.below(2500)).unwrap()));
        let fates = [
            FaultDecision::Done,
            FaultDecision::Unavailable,
            FaultDecision::Busy,
            FaultDecision::Failed,
            FaultDecision::Dropped,
            FaultDecision::Lost,
            FaultDecision::Panic,
            slow,
        ];
        fates[dice.weighted(&weights)]
    }
}
