//! The choices of a run, all of them from its seed.

use portcullis_ports::EntropyExt;
use portcullis_testkit::SeededEntropy;

/// A stream of choices.
pub(crate) struct SeededRng(SeededEntropy);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number under `bound`.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(u64::from_le_bytes(self.0.array()) % bound).unwrap()
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(crate) fn pick<T: Clone>(&self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// The index of one of the weights, as likely as it is heavy.
    pub(crate) fn weighted(&self, weights: &[usize]) -> usize {
        let mut at = self.below(weights.iter().sum());
        let reached = |weight: &usize| {
            let reached = at < *weight;
            at = at.saturating_sub(*weight);
            reached
        };
        weights.iter().position(reached).unwrap()
    }
}
