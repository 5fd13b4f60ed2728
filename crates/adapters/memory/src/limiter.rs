//! Rate limiter that keeps its tallies in a bounded table. The table is split into shards with one lock
//! each; a call locks only the shards of its keys.

use lru::LruCache;
use parking_lot::{Mutex, MutexGuard};
use portcullis_domain::limits::{Acquired, Budget, LimitKey, Tally};
use portcullis_ports::{Charge, Clock, Exceeded, HeldCharge, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Number of shards per budget. A power of two: a key's shard is its first byte modulo this.
const SHARDS: u8 = 32;

type Shard = LruCache<LimitKey, Tally>;

/// Rate limiter in memory. Every budget has its own share of the table and evicts its least recently
/// used key when full. An attacker can create keys of sources, emails and sessions at almost no cost,
/// so these must not evict the tally of an account under attack.
pub struct MemoryLimiter {
    shards: Vec<Mutex<Shard>>,
    clock: Arc<dyn Clock>,
}

impl MemoryLimiter {
    /// Default number of keys: about 25 MB if an attack fills the table.
    pub const DEFAULT_CAPACITY: usize = 125_000;

    /// Creates a limiter with at most `keys` keys: three fifths of them for accounts, a fifth for sources.
    #[must_use]
    pub fn new(keys: usize, clock: Arc<dyn Clock>) -> Self {
        // A shard allocates memory as it fills, not at the start.
        let shard = |budget: Budget| {
            let mut shard = Shard::unbounded();
            shard.resize(NonZeroUsize::new(share(budget, keys) / usize::from(SHARDS)).unwrap_or(NonZeroUsize::MIN));
            Mutex::new(shard)
        };
        let shards = Budget::ALL.into_iter().flat_map(|budget| (0..SHARDS).map(move |_| shard(budget)));
        Self { shards: shards.collect(), clock }
    }

    /// Returns the current number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Returns whether the limiter has no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Locks the shards of the charges, each once and always in the same order to avoid deadlocks.
    fn shards_of<'c>(&self, charges: impl Iterator<Item = &'c Charge>) -> Locked<'_> {
        let mut places: Vec<_> = charges.map(shard_index).collect();
        places.sort_unstable();
        places.dedup();
        let lock = |place: usize| self.shards.get(place).map(|shard| (place, shard.lock()));
        Locked(places.into_iter().filter_map(lock).collect())
    }
}

impl RateLimiter for MemoryLimiter {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        let now = self.clock.monotonic();
        let mut shards = self.shards_of(charges.iter());
        let mut passed = Vec::with_capacity(charges.len());
        let mut refused: Option<Exceeded> = None;
        for charge in charges {
            match charge.rule.try_acquire_for(charge.waiter, shards.tally(charge), now) {
                Ok(taken) => passed.push((*charge, taken)),
                Err(refusal) => {
                    let longer = refused.is_none_or(|worst| worst.retry_after < refusal.retry_after);
                    refused = if longer { Some(exceeded(charge, refusal.retry_after)) } else { refused };
                }
            }
        }
        if let Some(exceeded) = refused {
            return Ok(ReserveOutcome::Refused(exceeded));
        }
        let held = passed.into_iter().map(|(charge, taken)| shards.keep(charge, taken, now)).collect();
        Ok(ReserveOutcome::Passed(Reservation { held, secondary: Vec::new() }))
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        let now = self.clock.monotonic();
        let mut shards = self.shards_of(reservation.held.iter().map(|held| &held.charge));
        for HeldCharge { charge, receipt, .. } in &reservation.held {
            let Some(tally) = shards.tally(charge).map(|tally| charge.rule.refund(tally, receipt)) else { continue };
            // Remove a stale tally: it has no effect but could evict tallies that still count.
            if charge.rule.is_stale(&tally, now) { shards.forget(charge) } else { shards.set(charge, tally) }
        }
        Ok(())
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        let mut shards = self.shards_of(charges.iter());
        for charge in charges {
            shards.forget(charge);
        }
        Ok(())
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        let now = self.clock.monotonic();
        let mut shards = self.shards_of(std::iter::once(charge));
        Ok(charge.rule.remaining(shards.tally(charge), now))
    }
}

/// Shards locked by one call.
struct Locked<'a>(Vec<(usize, MutexGuard<'a, Shard>)>);

impl Locked<'_> {
    fn shard(&mut self, charge: &Charge) -> Option<&mut Shard> {
        self.0.iter_mut().find(|(at, _)| *at == shard_index(charge)).map(|(_, shard)| &mut **shard)
    }

    /// Returns the tally of a key and marks it as used, so that a refused key is not evicted.
    fn tally(&mut self, charge: &Charge) -> Option<&Tally> {
        self.shard(charge)?.get(&charge.key)
    }

    fn set(&mut self, charge: &Charge, tally: Tally) {
        if let Some(shard) = self.shard(charge) {
            shard.put(charge.key, tally);
        }
    }

    fn forget(&mut self, charge: &Charge) {
        if let Some(shard) = self.shard(charge) {
            shard.pop(&charge.key);
        }
    }

    fn keep(&mut self, charge: Charge, taken: Acquired, now: Duration) -> HeldCharge {
        let remaining = charge.rule.remaining(Some(&taken.tally), now);
        self.set(&charge, taken.tally);
        HeldCharge { charge, receipt: taken.receipt, remaining }
    }
}

fn exceeded(charge: &Charge, retry_after: Duration) -> Exceeded {
    Exceeded { charge: *charge, retry_after }
}

/// Returns the maximum number of keys of a budget.
fn share(budget: Budget, keys: usize) -> usize {
    match budget {
        Budget::Account | Budget::AccountDay | Budget::SecondFactorDay | Budget::Source => keys / 5,
        _ => keys / 5 / Budget::ALL.len().saturating_sub(4).max(1),
    }
}

fn shard_index(charge: &Charge) -> usize {
    let [first, ..] = charge.key.as_bytes();
    let part = Budget::ALL.iter().position(|budget| *budget == charge.budget).unwrap_or_default();
    part.saturating_mul(usize::from(SHARDS)).saturating_add(usize::from(first % SHARDS))
}
