//! Charges of a call that was admitted.

use super::attempt::Keeps;
use super::budgets::InFlight;
use crate::failure::{Reason, UseCaseError};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Receipt, Rule};
use portcullis_ports::{Charge, HeldCharge, LimiterError, RateLimiter, Reservation};
use std::fmt;
use std::mem::take;
use std::sync::Arc;

/// Guard for a call that passed the rate limits. Dropping it refunds the charges, because a call that
/// was shed or whose dependency failed has tested no password. The outcome of the call decides which
/// charges are kept. Charges to the source are never refunded. The default value holds no charges.
#[must_use = "an admission that is dropped is given back"]
#[derive(Default)]
pub struct Admission(Vec<Counted>);

/// Charges that are refunded on drop, unless they were settled before.
struct Counted {
    limiter: Arc<dyn RateLimiter>,
    reservation: Reservation,
    keeps: Keeps,
    /// Charge that is counted with the others if they are kept. It never refuses the call.
    on_commit: Option<Charge>,
    in_flight: Arc<InFlight>,
}

impl Admission {
    pub(super) fn new(
        limiter: Arc<dyn RateLimiter>,
        mut reservation: Reservation,
        keeps: Keeps,
        on_commit: Option<Charge>,
        in_flight: Arc<InFlight>,
    ) -> Self {
        let refundable = |held: &HeldCharge| held.charge.budget.is_refunded();
        reservation.held.retain(refundable);
        reservation.secondary.retain(refundable);
        if reservation.held.is_empty() {
            return Self::default();
        }
        in_flight.begin(&reservation);
        Self(vec![Counted { limiter, reservation, keeps, on_commit, in_flight }])
    }

    /// Adds the charges of another attempt of the same call.
    pub fn and(mut self, mut other: Self) -> Self {
        self.0.append(&mut other.0);
        self
    }

    /// Returns the number of recent failed attempts of the account or device of this call, and whether
    /// this call had to wait for a backoff to pass.
    ///
    /// # Errors
    /// Returns [`LimiterError`] if the limiter cannot be queried.
    pub fn failures(&self) -> Result<(u32, bool), LimiterError> {
        let (mut most, mut waited) = (0, false);
        for counted in &self.0 {
            for held in &counted.reservation.held {
                let Rule::SlidingWindow(window) = held.charge.rule else { continue };
                if !matches!(held.charge.budget, Budget::Account | Budget::AccountSource | Budget::Device) {
                    continue;
                }
                let spent = window.limit().saturating_sub(counted.limiter.remaining(&held.charge)?);
                // Do not count calls in flight, including this one, as failures: they may still succeed.
                most = most.max(spent.saturating_sub(counted.in_flight.count(held.charge.key)));
                waited |= matches!(held.receipt, Receipt::SlidingWindow(receipt) if receipt.backed_off.is_some());
            }
        }
        Ok((most, waited))
    }

    /// Keeps or refunds the charges: those of a guess are kept if it was wrong, those of other attempts
    /// if the call succeeded.
    pub(crate) fn settle<T, R: Reason>(self, outcome: &Result<T, UseCaseError<R>>) {
        let wrong = matches!(outcome, Err(error) if error.code() == ErrorCode::InvalidCredentials);
        self.commit_if(|keeps| match keeps {
            Keeps::WrongGuess => wrong,
            Keeps::Success => outcome.is_ok(),
        });
    }

    /// Keeps the charges.
    pub(crate) fn commit(self) {
        self.commit_if(|_| true);
    }

    fn commit_if(self, kept: impl Fn(Keeps) -> bool) {
        for mut counted in self.0 {
            if kept(counted.keeps) {
                counted.commit();
            }
        }
    }
}

impl Counted {
    fn commit(&mut self) {
        if let Some(charge) = self.on_commit.take()
            && let Err(error) = self.limiter.reserve(&[charge])
        {
            tracing::warn!(target: "app", %error, "A try was not counted");
        }
        self.in_flight.end(&take(&mut self.reservation));
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.reservation.held.is_empty() {
            return;
        }
        if let Err(error) = self.limiter.refund(&self.reservation) {
            tracing::warn!(target: "app", %error, "Charges were not given back");
        }
        // Runs after the refund, so that a caller that waits for this call to end finds the budget
        // refunded.
        self.in_flight.end(&self.reservation);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("counted", &self.0.len()).finish()
    }
}
