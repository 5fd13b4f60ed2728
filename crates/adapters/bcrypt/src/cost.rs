//! Cost parameter of bcrypt.

/// bcrypt cost: a hash takes 2^cost rounds. The configuration limits which costs an operator may
/// choose.
///
/// ```
/// use portcullis_bcrypt::Cost;
/// assert_eq!(Cost::new(12), Some(Cost::DEFAULT));
/// assert_eq!(Cost::new(3), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

impl Cost {
    /// 4: about 1 ms.
    pub(crate) const CHEAPEST: Self = Self(4);

    /// 12: about 0.25 s.
    pub const DEFAULT: Self = Self(12);

    /// 16: about 4 s. A stored hash of a higher cost counts as unreadable unless that cost is
    /// configured. Each step doubles the time, and a single damaged digit must not block a thread for a
    /// day.
    pub const HIGHEST_READABLE: Self = Self(16);

    /// Creates a cost from 4 to 31, the bounds of the algorithm. Returns `None` outside of them.
    #[must_use]
    pub const fn new(cost: u32) -> Option<Self> {
        if cost >= 4 && cost <= 31 { Some(Self(cost)) } else { None }
    }

    /// Returns the base-2 logarithm of the number of rounds.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_the_algorithms() {
        for (cost, good) in [(0, false), (3, false), (4, true), (31, true), (32, false), (u32::MAX, false)] {
            assert_eq!(Cost::new(cost).is_some(), good, "{cost}");
        }
    }
}
