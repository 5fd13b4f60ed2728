//! The slow part of a hash, separated from the rest so that only this part runs on the hash threads.

use crate::{
    cost::Cost,
    kernel::{self, Input, Output},
    key::Key,
    stored::Salt,
};
use std::hint::black_box;
use zeroize::Zeroizing;

/// bcrypt's output without the last byte, which no format stores.
pub(crate) type Digest = Zeroizing<[u8; 23]>;

/// Input of one slow hash.
pub(crate) struct Computation {
    pub(crate) key: Key,
    pub(crate) salt: Salt,
    pub(crate) cost: Cost,
    /// Minimum cost. The computation takes at least as long as a hash of this cost.
    pub(crate) no_faster_than: Cost,
}

impl Computation {
    /// Computes the hash with the crate `bcrypt`.
    pub(crate) fn alone(&self) -> Digest {
        let mut output = Output::default();
        for cost in self.costs() {
            *output = black_box(bcrypt::bcrypt(cost.get(), self.salt.0, self.key.as_bytes()));
        }
        digest(&output)
    }

    /// Computes several hashes with the kernel, all with the same costs ([`is_like`](Self::is_like)).
    /// Returns the digests in the same order.
    pub(crate) fn together(computations: &[&Self]) -> Vec<Digest> {
        let inputs: Vec<_> = computations.iter().map(|one| one.input()).collect();
        let costs = computations.first().into_iter().flat_map(|first| first.costs());
        let outputs = costs.fold(Vec::new(), |_, cost| black_box(kernel::together(cost, &inputs)));
        outputs.iter().map(digest).collect()
    }

    /// Returns whether both have the same costs, so that one batch can compute them.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.cost, self.no_faster_than) == (other.cost, other.no_faster_than)
    }

    fn input(&self) -> Input<'_> {
        Input { salt: &self.salt.0, key: self.key.as_bytes() }
    }

    /// Returns the costs to compute in sequence; the last one produces the digest. The others only take
    /// time, so that a cheap old hash does not reveal that the account exists. For example, costs 11,
    /// 10, …, 4 and 4 again take 2^12 rounds, as many as cost 12.
    fn costs(&self) -> impl Iterator<Item = Cost> {
        let own = self.cost.get();
        (own..self.no_faster_than.get()).rev().chain([own]).filter_map(Cost::new)
    }
}

fn digest(output: &Output) -> Digest {
    let [digest @ .., _] = **output;
    Digest::new(digest)
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
            let rounds: u32 = computation(cost, least).costs().map(|cost| 1 << cost.get()).sum();
            assert_eq!(rounds, 1 << expected, "{cost} {least}");
        }
    }

    #[test]
    fn extra_rounds_do_not_change_the_digest() {
        assert_eq!(computation(4, 4).alone(), computation(4, 7).alone());
        assert_ne!(computation(4, 7).alone(), computation(5, 7).alone());
    }

    #[test]
    fn together_is_what_alone_is() {
        for (cost, least) in [(4, 4), (4, 6), (6, 4)] {
            let all: Vec<_> = (0..9).map(|n| Computation { salt: Salt([n; 16]), ..computation(cost, least) }).collect();
            let alone: Vec<_> = all.iter().map(Computation::alone).collect();
            for lanes in 1..=all.len() {
                let digests = Computation::together(&all.iter().take(lanes).collect::<Vec<_>>());
                assert_eq!(digests, alone[..lanes], "{lanes} of cost {cost}");
            }
        }
    }

    #[test]
    fn only_the_same_steps_are_alike() {
        assert!(computation(4, 6).is_like(&computation(4, 6)));
        assert!(!computation(4, 6).is_like(&computation(5, 6)));
        assert!(!computation(6, 6).is_like(&computation(6, 5)));
    }
}
