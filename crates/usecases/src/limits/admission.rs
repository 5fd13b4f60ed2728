//! A place in the budgets that a call draws on.

use super::budgets::InFlight;
use portcullis_domain::limits::{Budget, Receipt, Rule};
use portcullis_ports::{Charge, HeldCharge, LimiterError, RateLimiter, Reservation};
use std::fmt;
use std::sync::Arc;

/// A call that was counted and may begin. It is given back unless it is [`commit`](Self::commit)
/// that ends it: a call that was shed, or whose dependency failed, has guessed at nothing. What its
/// source paid is never given back. By default nothing was counted.
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

    /// The same, with a charge that is counted only once the call is spent, and never refuses it.
    pub(super) fn with_charge_on_commit(mut self, charge: Option<Charge>) -> Self {
        if let Some(counted) = &mut self.counted {
            counted.on_commit = charge;
        }
        self
    }

    /// Returns the tries that failed lately under the account or device that this call draws on, and
    /// whether they were so many that this one had to wait.
    ///
    /// # Errors
    /// [`LimiterError`].
    pub fn failures(&self) -> Result<(u32, bool), LimiterError> {
        let Some(Counted { limiter, reservation, in_flight, .. }) = &self.counted else { return Ok((0, false)) };
        let (mut most, mut waited) = (0, false);
        for held in &reservation.held {
            let Rule::SlidingWindow(window) = held.charge.rule else { continue };
            if !matches!(held.charge.budget, Budget::Account | Budget::AccountSource | Budget::Device) {
                continue;
            }
            let spent = window.limit().saturating_sub(limiter.remaining(&held.charge)?);
            // Calls at work, this one among them, may yet succeed.
            most = most.max(spent.saturating_sub(in_flight.count(held.charge.key)));
            waited |= matches!(held.receipt, Receipt::SlidingWindow(receipt) if receipt.backed_off.is_some());
        }
        Ok((most, waited))
    }

    /// It counts: the guess was wrong, or the work was done.
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
        // After the refund: whoever waits for this call finds the place free.
        counted.in_flight.end(&counted.reservation);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("counted", &self.counted.is_some()).finish()
    }
}
