//! Number of hashes a thread computes together, and the measurement that picks the best one for this
//! processor.

use crate::{
    computation::{Computation, Digest},
    cost::Cost,
    key::Key,
    stored::Salt,
};
use portcullis_ports::Clock;
use std::{
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

/// Maximum number of hashes a thread computes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes(NonZeroU8);

impl Lanes {
    /// One lane: every hash is computed by the crate `bcrypt`, not by the kernel.
    pub const ONE: Self = Self(NonZeroU8::MIN);

    const FOUR: Self = Self(NonZeroU8::MIN.saturating_add(3));

    /// Maximum number of lanes of the kernel.
    pub const MAX: Self = Self(NonZeroU8::MIN.saturating_add(5));

    /// Creates a maximum of 1 to 6 lanes. Returns `None` outside of that range.
    #[must_use]
    pub const fn new(lanes: u8) -> Option<Self> {
        match NonZeroU8::new(lanes) {
            Some(lanes) if lanes.get() <= Self::MAX.0.get() => Some(Self(lanes)),
            _ => None,
        }
    }

    /// Returns the number of lanes.
    #[must_use]
    pub fn get(self) -> NonZeroUsize {
        self.0.into()
    }

    /// Computes a batch. Returns the digests in the same order.
    pub(crate) fn compute(self, computations: &[&Computation]) -> Vec<Digest> {
        if self == Self::ONE {
            computations.iter().map(|one| one.alone()).collect()
        } else {
            Computation::together(computations)
        }
    }
}

/// Number of lanes and its measured speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneTiming {
    pub(crate) lanes: Lanes,
    /// Duration of a full batch.
    pub(crate) batch: Duration,
}

/// Cost of the measurement: a batch takes about 1 ms.
const TRIAL_COST: Cost = Cost::CHEAPEST;
/// Number of trials. The shortest one counts, since other processes may have slowed down the rest.
const TRIALS: usize = 2;

/// Measures `chosen`, or else picks the fastest of one, four and six lanes. Takes a few milliseconds.
pub(crate) fn measure(chosen: Option<Lanes>, cost: Cost, clock: &dyn Clock) -> LaneTiming {
    let best = if let Some(chosen) = chosen {
        pace(chosen, clock)
    } else {
        let [one, four, most] = [Lanes::ONE, Lanes::FOUR, Lanes::MAX].map(|lanes| pace(lanes, clock));
        faster(faster(one, four), most)
    };
    // Each step of the cost doubles the time.
    let doubled = 2_u32.saturating_pow(cost.get().saturating_sub(TRIAL_COST.get()));
    LaneTiming { batch: best.batch.saturating_mul(doubled), ..best }
}

/// Returns the measurement with less time per hash.
fn faster(one: LaneTiming, other: LaneTiming) -> LaneTiming {
    let [one_each, other_each] = [one, other].map(|pace| pace.batch.as_nanos() * 60 / u128::from(pace.lanes.0.get()));
    if other_each < one_each { other } else { one }
}

fn pace(lanes: Lanes, clock: &dyn Clock) -> LaneTiming {
    let trial =
        Computation { key: Key::plain("trial"), salt: Salt([0; 16]), cost: TRIAL_COST, no_faster_than: TRIAL_COST };
    let computations = vec![&trial; lanes.get().get()];
    let times = (0..TRIALS).map(|_| {
        let start = clock.monotonic();
        lanes.compute(&computations);
        clock.monotonic().saturating_sub(start)
    });
    LaneTiming { lanes, batch: times.min().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::MAX_LANES;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Clock that advances by the next of the given milliseconds at each reading.
    struct Ticking(Vec<u64>, AtomicU64);

    impl Clock for Ticking {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            chrono::DateTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            let asked = usize::try_from(self.1.fetch_add(1, Ordering::Relaxed)).unwrap();
            Duration::from_millis(self.0.iter().cycle().take(asked).sum())
        }
    }

    fn measured(chosen: Option<Lanes>, cost: Cost, trials: &[u64]) -> LaneTiming {
        // No time passes between trials.
        let ticks = trials.iter().flat_map(|time| [*time, 0]).collect();
        measure(chosen, cost, &Ticking(ticks, AtomicU64::new(0)))
    }

    #[test]
    fn the_least_time_for_each_hash_wins() {
        let pace = |lanes, batch| LaneTiming { lanes, batch: Duration::from_millis(batch) };
        // Two trials each of one, four and six lanes.
        assert_eq!(measured(None, TRIAL_COST, &[3, 2, 90, 8, 9, 6]), pace(Lanes::MAX, 6));
        assert_eq!(measured(None, TRIAL_COST, &[3, 2, 4, 90, 9, 9]), pace(Lanes::FOUR, 4));
        assert_eq!(measured(None, TRIAL_COST, &[3, 1, 5, 5, 9, 9]), pace(Lanes::ONE, 1));
    }

    #[test]
    fn each_step_of_the_cost_doubles_the_time() {
        let chosen = Lanes::new(3);
        let pace = measured(chosen, Cost::DEFAULT, &[2, 1]);
        assert_eq!((Some(pace.lanes), pace.batch), (chosen, Duration::from_millis(256)));
    }

    #[test]
    fn the_kernel_takes_the_most() {
        assert_eq!(Lanes::MAX.get().get(), MAX_LANES);
    }
}
