//! The simplest limiter that passes the conformance suite, under one lock.

use parking_lot::Mutex;
use portcullis_domain::limits::{LimitKey, Tally};
use portcullis_ports::{Charge, Clock, Exceeded, HeldCharge, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use std::collections::HashMap;
use std::sync::Arc;

/// Limiter that counts in a map and never evicts.
pub struct MapLimiter {
    tallies: Mutex<HashMap<LimitKey, Tally>>,
    clock: Arc<dyn Clock>,
}

impl MapLimiter {
    /// Creates an empty limiter.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { tallies: Mutex::default(), clock }
    }
}

impl RateLimiter for MapLimiter {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        let (now, mut tallies) = (self.clock.monotonic(), self.tallies.lock());
        let mut taken = Vec::new();
        for charge in charges {
            match charge.rule.try_acquire_for(charge.waiter, tallies.get(&charge.key), now) {
                Ok(one) => taken.push((*charge, one)),
                Err(refusal) => {
                    return Ok(ReserveOutcome::Refused(Exceeded { charge: *charge, retry_after: refusal.retry_after }));
                }
            }
        }
        let held = taken.into_iter().map(|(charge, one)| {
            let remaining = charge.rule.remaining(Some(&one.tally), now);
            tallies.insert(charge.key, one.tally);
            HeldCharge { charge, receipt: one.receipt, remaining }
        });
        Ok(ReserveOutcome::Passed(Reservation { held: held.collect(), secondary: Vec::new() }))
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        let mut tallies = self.tallies.lock();
        for held in &reservation.held {
            if let Some(tally) = tallies.get_mut(&held.charge.key) {
                *tally = held.charge.rule.refund(tally, &held.receipt);
            }
        }
        Ok(())
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        let mut tallies = self.tallies.lock();
        charges.iter().for_each(|charge| drop(tallies.remove(&charge.key)));
        Ok(())
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        Ok(charge.rule.remaining(self.tallies.lock().get(&charge.key), self.clock.monotonic()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FixedClock;
    use crate::conformance::limits::Limiter;

    crate::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
        let clock = Arc::new(FixedClock::at(chrono::DateTime::UNIX_EPOCH));
        let limiter = MapLimiter::new(clock.clone());
        run(Limiter { limiter: &limiter, wait: &|time| clock.advance(time) });
    });
}
