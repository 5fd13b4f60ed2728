//! Rate limiter shared by all replicas, backed by a local one in case the shared one is unavailable.

use crate::Breaker;
use portcullis_ports::{Charge, LimiterError, RateLimiter, Reservation, ReserveOutcome};

/// Every error counts as a failure. An exceeded budget is not an error.
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

    fn check(&self) -> Result<(), LimiterError> {
        self.call_counting_all(RateLimiter::check, is_open)
    }
}

fn is_open() -> LimiterError {
    LimiterError("its circuit is open".to_owned())
}

/// Combines a local limiter and one shared by all replicas. Both count every call, and a call must
/// pass both. While the shared limiter is unavailable, the local one decides alone, because it has
/// counted all calls of this process.
///
/// If the shared limiter loses its data, only the counts of other replicas' calls are lost.
///
/// ```
/// use portcullis_ports::RateLimiter;
/// use portcullis_resilience::{Breaker, CircuitBreaker, BreakerSettings, SharedLimiter};
/// fn limiter(remote: impl RateLimiter, local: impl RateLimiter) -> impl RateLimiter {
///     // A low threshold is safe, because there is a fallback.
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
    /// Creates a limiter from a shared and a local one.
    #[must_use]
    pub fn new(shared: S, local: L) -> Self {
        Self { shared, local }
    }
}

impl<S: RateLimiter, L: RateLimiter> RateLimiter for SharedLimiter<S, L> {
    /// Fails only if the local limiter fails. Charges the local one first, because its refusals need
    /// no network call.
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
            // Ignore errors: an unrefunded charge expires with its budget.
            drop(self.shared.refund(&shared));
        }
        Ok(())
    }

    /// Clears the local and the shared counts. Other replicas keep their local counts.
    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        self.local.clear(charges)?;
        // Ignore errors: counts on an unavailable server expire.
        drop(self.shared.clear(charges));
        Ok(())
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        let local = self.local.remaining(charge)?;
        Ok(self.shared.remaining(charge).map_or(local, |shared| shared.min(local)))
    }

    /// Checks the shared limiter, so that its circuit learns of it. Like the other methods, fails only if the
    /// local one fails.
    fn check(&self) -> Result<(), LimiterError> {
        drop(self.shared.check());
        self.local.check()
    }
}
