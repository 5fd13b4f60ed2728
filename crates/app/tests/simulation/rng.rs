//! Random choices of a run, all derived from its seed.

use portcullis_ports::EntropyExt;
use portcullis_testkit::SeededEntropy;

/// Stream of random choices.
pub(crate) struct SeededRng(SeededEntropy);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(u64::from_le_bytes(self.0.array()) % bound).unwrap()
    }

    /// Returns true with a probability of `percent`.
    pub(crate) fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the elements.
    pub(crate) fn pick<T: Clone>(&self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Returns an index with a probability in proportion to its weight.
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
