//! The slow part of every hash, apart from what comes before and after, so that it alone goes to
//! the hash threads.

use crate::{cost::Cost, key::Key, stored::Salt};
use std::hint::black_box;

/// What bcrypt makes: its output without the last byte, which no format has ever kept.
pub(crate) type Digest = [u8; 23];

/// One slow hash to be made.
pub(crate) struct Computation {
    pub(crate) key: Key,
    pub(crate) salt: Salt,
    pub(crate) cost: Cost,
    /// The cost whose time is taken at least.
    pub(crate) no_faster_than: Cost,
}

impl Computation {
    pub(crate) fn run(&self) -> Digest {
        let hash = |cost| black_box(bcrypt::bcrypt(cost, self.salt.0, self.key.as_bytes()));
        let [digest @ .., _] = self.costs().fold([0; 24], |_, cost| hash(cost));
        digest
    }

    /// What is computed, one after the other; the last is the hash itself. A cheap old hash must
    /// not tell that its account exists: 2^11 rounds, 2^10, … 2^4, and 2^4 again are 2^12.
    fn costs(&self) -> impl Iterator<Item = u32> {
        let own = self.cost.get();
        (own..self.no_faster_than.get()).rev().chain([own])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computation(cost: u32, least: u32) -> Computation {
        let (cost, no_faster_than) = (Cost::new(cost).unwrap(), Cost::new(least).unwrap());
        Computation { key: Key::plain("abc"), salt: Salt([3; 16]), cost, no_faster_than }
    }

    #[test]
    fn the_rounds_add_up_to_the_least_cost() {
        for (cost, least, expected) in [(4, 12, 12), (11, 12, 12), (12, 12, 12), (12, 10, 12)] {
            let rounds: u32 = computation(cost, least).costs().map(|cost| 1 << cost).sum();
            assert_eq!(rounds, 1 << expected, "{cost} {least}");
        }
    }

    #[test]
    fn extra_rounds_do_not_change_the_digest() {
        assert_eq!(computation(4, 4).run(), computation(4, 7).run());
        assert_ne!(computation(4, 7).run(), computation(5, 7).run());
    }
}
