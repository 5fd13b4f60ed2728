//! A limiter that replicas share, with one of this process beside it: what goes on when the shared
//! one is lost.

use crate::Breaker;
use portcullis_ports::{Charge, LimiterError, RateLimiter, Reservation, ReserveOutcome};

/// Calls a limiter while it answers. A failure of any kind counts: budgets that are spent are
/// answers.
impl<L: RateLimiter> RateLimiter for Breaker<L> {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        self.call_counting_all(|limiter| limiter.reserve(charges), is_open)
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        self.call_counting_all(|limiter| limiter.refund(reservation), is_open)
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        self.call_counting_all(|limiter| limiter.clear(charges), is_open)
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        self.call_counting_all(|limiter| limiter.remaining(charge), is_open)
    }
}

fn is_open() -> LimiterError {
    LimiterError("its circuit is open".to_owned())
}

/// Two limiters that count the same: one of this process, and one that all replicas share. A call
/// needs both. While the shared one is lost, the other decides alone, and knows what passed here.
///
/// The other way round a shared limiter that was emptied opens no more than what it had forgotten
/// of the other replicas.
///
/// ```
/// use portcullis_ports::RateLimiter;
/// use portcullis_resilience::{Breaker, CircuitBreaker, BreakerSettings, SharedLimiter};
/// fn limiter(remote: impl RateLimiter, local: impl RateLimiter) -> impl RateLimiter {
///     // A few failures are enough, for there is something to fall back to.
///     let circuit = CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(3));
///     SharedLimiter::new(Breaker::new("redis", remote, circuit), local)
/// }
/// ```
#[derive(Debug)]
pub struct SharedLimiter<S, L> {
    shared: S,
    local: L,
}

impl<S, L> SharedLimiter<S, L> {
    /// Puts a limiter of this process beside one that is shared.
    #[must_use]
    pub fn new(shared: S, local: L) -> Self {
        Self { shared, local }
    }
}

impl<S: RateLimiter, L: RateLimiter> RateLimiter for SharedLimiter<S, L> {
    /// Fails with the local limiter alone. What that refuses needs no way over the network.
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        let local = match self.local.reserve(charges)? {
            ReserveOutcome::Passed(local) => local,
            refused @ ReserveOutcome::Refused(_) => return Ok(refused),
        };
        match self.shared.reserve(charges) {
            Ok(ReserveOutcome::Passed(shared)) => {
                Ok(ReserveOutcome::Passed(Reservation { held: local.held, secondary: shared.held }))
            }
            Ok(refused @ ReserveOutcome::Refused(_)) => {
                self.local.refund(&local)?;
                Ok(refused)
            }
            Err(_) => Ok(ReserveOutcome::Passed(local)),
        }
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        self.local.refund(reservation)?;
        if !reservation.secondary.is_empty() {
            let shared = Reservation { held: reservation.secondary.clone(), secondary: Vec::new() };
            // What cannot be given back is forgotten with its budget.
            drop(self.shared.refund(&shared));
        }
        Ok(())
    }

    /// Other replicas keep what they counted in their own memory.
    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        self.local.clear(charges)?;
        // A server that is lost forgets by itself.
        drop(self.shared.clear(charges));
        Ok(())
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        let local = self.local.remaining(charge)?;
        Ok(self.shared.remaining(charge).map_or(local, |shared| shared.min(local)))
    }
}
