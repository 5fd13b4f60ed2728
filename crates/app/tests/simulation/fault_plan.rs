//! How the store fares for a while, and so what becomes of a call.

use crate::rng::SeededRng;
use std::time::Duration;

/// How the store fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultProfile {
    /// As on most days: one call in fifty goes wrong.
    Calm,
    /// Anything may happen to any call.
    Flaky,
    /// Nearly nothing comes through.
    Outage,
    /// Calls take long, and some too long.
    Slow,
    /// Nothing goes wrong: what is left after all is asked is looked at.
    Perfect,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultDecision {
    /// It is done and answered.
    Done,
    /// The store is not reached.
    Unavailable,
    /// Every connection is taken.
    Busy,
    /// A statement fails: the store does answer.
    Failed,
    /// The connection breaks before the commit: nothing was done.
    Dropped,
    /// The connection breaks after the commit: the answer is lost.
    Lost,
    /// The work panics.
    Panic,
    /// It takes its time.
    Slow(Duration),
}

impl FaultProfile {
    pub(crate) const CHANGING: [Self; 4] = [Self::Calm, Self::Flaky, Self::Outage, Self::Slow];

    /// The fate of a call.
    pub(crate) fn fate(self, dice: &SeededRng) -> FaultDecision {
        let weights: [usize; 8] = match self {
            Self::Perfect => return FaultDecision::Done,
            // In the order of the list below.
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
