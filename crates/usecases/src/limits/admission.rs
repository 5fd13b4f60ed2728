//! Charges of a call that was admitted.

use super::budgets::InFlight;
use portcullis_domain::limits::{Budget, Receipt, Rule};
use portcullis_ports::{Charge, HeldCharge, LimiterError, RateLimiter, Reservation};
use std::fmt;
use std::sync::Arc;

/// Guard for a call that passed the rate limits. Dropping it refunds the charges, because a call that
/// was shed or whose dependency failed has tested no password. [`commit`](Self::commit) keeps the
/// charges. Charges to the source are never refunded. The default value holds no charges.
#[must_use = "an admission that is dropped is given back"]
#[derive(Default)]
pub struct Admission {
    counted: Option<Counted>,
}

struct Counted {
    limiter: Arc<dyn RateLimiter>,
    reservation: Reservation,
    on_commit: Option<Charge>,
    in_flight: Arc<InFlight>,
}

impl Admission {
    pub(super) fn of(limiter: Arc<dyn RateLimiter>, reservation: Reservation, in_flight: Arc<InFlight>) -> Self {
        let refundable = |held: &HeldCharge| held.charge.budget.is_refunded();
        let mut reservation = reservation;
        reservation.held.retain(refundable);
        reservation.secondary.retain(refundable);
        if reservation.held.is_empty() {
            return Self::default();
        }
        in_flight.begin(&reservation);
        Self { counted: Some(Counted { limiter, reservation, on_commit: None, in_flight }) }
    }

    /// Adds a charge that is counted on commit only and never refuses the call.
    pub(super) fn with_charge_on_commit(mut self, charge: Option<Charge>) -> Self {
        if let Some(counted) = &mut self.counted {
            counted.on_commit = charge;
        }
        self
    }

    /// Returns the number of recent failed attempts of the account or device of this call, and whether
    /// this call had to wait for a backoff to pass.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter cannot be queried.
    pub fn failures(&self) -> Result<(u32, bool), LimiterError> {
        let Some(Counted { limiter, reservation, in_flight, .. }) = &self.counted else { return Ok((0, false)) };
        let (mut most, mut waited) = (0, false);
        for held in &reservation.held {
            let Rule::SlidingWindow(window) = held.charge.rule else { continue };
            if !matches!(held.charge.budget, Budget::Account | Budget::AccountSource | Budget::Device) {
                continue;
            }
            let spent = window.limit().saturating_sub(limiter.remaining(&held.charge)?);
            // Do not count calls in flight, including this one, as failures: they may still succeed.
            most = most.max(spent.saturating_sub(in_flight.count(held.charge.key)));
            waited |= matches!(held.receipt, Receipt::SlidingWindow(receipt) if receipt.backed_off.is_some());
        }
        Ok((most, waited))
    }

    /// Keeps the charges: the guess was wrong, or the work was done.
    pub fn commit(mut self) {
        if let Some(counted) = self.counted.take() {
            if let Some(charge) = counted.on_commit
                && let Err(error) = counted.limiter.reserve(&[charge])
            {
                tracing::warn!(target: "app", %error, "A try was not counted");
            }
            counted.in_flight.end(&counted.reservation);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Some(counted) = self.counted.take() else { return };
        if let Err(error) = counted.limiter.refund(&counted.reservation) {
            tracing::warn!(target: "app", %error, "Charges were not given back");
        }
        // Runs after the refund, so that a caller that waits for this call to end finds the budget
        // refunded.
        counted.in_flight.end(&counted.reservation);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("counted", &self.counted.is_some()).finish()
    }
}
