//! Rate-limit budgets of the service.

use super::attempt::Keeps;
use super::{Admission, LimitError, RateLimited};
use parking_lot::Mutex;
use portcullis_domain::limits::{Budget, LimitKey, LimitSubject, Rule, Source, Waiter};
use portcullis_ports::{Charge, MacSigner, RateLimiter, Reservation, ReserveOutcome};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Rule of each budget.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Wrong passwords of one account from unknown devices.
    pub account: Rule,
    /// Wrong passwords of one account in a day, from all devices.
    pub account_day: Rule,
    /// Wrong passwords of one account from one known device, or from one known source.
    pub device: Rule,
    /// Calls of one source.
    pub source: Rule,
    /// Emails to one address, for each purpose.
    pub mail: Rule,
    /// Refreshes of one session, on one replica.
    pub refresh: Rule,
    /// Refreshes of one session that cannot succeed.
    pub dead_refresh: Rule,
    /// Wrong second factors of one account from unknown devices, or from one known device.
    pub second_factor: Rule,
    /// Wrong second factors of one account in a day, from all devices.
    pub second_factor_day: Rule,
}

impl Rules {
    fn for_budget(&self, budget: Budget) -> Rule {
        match budget {
            Budget::Account => self.account,
            Budget::AccountDay => self.account_day,
            Budget::Device | Budget::AccountSource => self.device,
            Budget::Source => self.source,
            Budget::Mail => self.mail,
            Budget::Refresh => self.refresh,
            Budget::DeadRefresh => self.dead_refresh,
            Budget::SecondFactor | Budget::SecondFactorDevice => self.second_factor,
            Budget::SecondFactorDay => self.second_factor_day,
        }
    }
}

/// One charge of a call: the budget, the subject and the waiter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    pub(super) budget: Budget,
    pub(super) subject: LimitSubject<'a>,
    pub(super) waiter: Waiter,
}

impl<'a> Draw<'a> {
    pub(super) fn new(budget: Budget, subject: LimitSubject<'a>) -> Self {
        Self { budget, subject, waiter: Waiter::default() }
    }
}

/// Rate-limit budgets of the service, or none if limits are off.
pub struct Limits {
    counting: Option<Counting>,
    in_flight: Arc<InFlight>,
}

struct Counting {
    limiter: Arc<dyn RateLimiter>,
    /// In-process limiter, if the main limiter is on the network.
    local: Option<Arc<dyn RateLimiter>>,
    authenticator: Arc<dyn MacSigner>,
    rules: Rules,
}

impl Limits {
    /// Creates limits whose budgets are counted by `limiter`. Keys are MACs, so that the limiter's
    /// memory reveals no email addresses.
    #[must_use]
    pub fn new(limiter: Arc<dyn RateLimiter>, authenticator: Arc<dyn MacSigner>, rules: Rules) -> Self {
        Self { counting: Some(Counting { limiter, local: None, authenticator, rules }), in_flight: Arc::default() }
    }

    /// Adds an in-process limiter, for use if the main limiter is on the network. It serves the
    /// methods that must not make a network call.
    #[must_use]
    pub fn with_local(mut self, local: Arc<dyn RateLimiter>) -> Self {
        if let Some(counting) = &mut self.counting {
            counting.local = Some(local);
        }
        self
    }

    /// Creates limits that never refuse.
    #[must_use]
    pub fn off() -> Self {
        Self { counting: None, in_flight: Arc::default() }
    }

    /// Charges one call to all given budgets, or to none if one refuses.
    pub(crate) fn admit(&self, draws: &[(Budget, LimitSubject<'_>)]) -> Result<Admission, LimitError> {
        self.admit_draws(Keeps::Success, draws.iter().map(|(budget, subject)| Some(Draw::new(*budget, *subject))), None)
    }

    /// Charges the draws now, and `when_kept` only with an outcome that keeps the charges, if that
    /// budget has room.
    pub(super) fn admit_draws<'a>(
        &self,
        keeps: Keeps,
        draws: impl IntoIterator<Item = Option<Draw<'a>>>,
        when_kept: Option<Draw<'a>>,
    ) -> Result<Admission, LimitError> {
        let Some(counting) = &self.counting else { return Ok(Admission::default()) };
        let charge = |draw: Draw<'_>| Charge { waiter: draw.waiter, ..counting.charge(draw.budget, &draw.subject) };
        let charges: Vec<_> = draws.into_iter().flatten().map(charge).collect();
        match counting.limiter.reserve(&charges)? {
            ReserveOutcome::Passed(reservation) => {
                let (limiter, in_flight) = (counting.limiter.clone(), self.in_flight.clone());
                Ok(Admission::new(limiter, reservation, keeps, when_kept.map(charge), in_flight))
            }
            ReserveOutcome::Refused(exceeded) => Err(RateLimited::from(exceeded).into()),
        }
    }

    /// Charges one call in this process only and never refunds it. Makes no network call, so code that
    /// must not wait for the network can use it.
    pub fn spend_here(&self, budget: Budget, subject: &LimitSubject<'_>) -> Result<(), LimitError> {
        let Some(counting) = &self.counting else { return Ok(()) };
        let local = counting.local.as_ref().unwrap_or(&counting.limiter);
        match local.reserve(&[counting.local_charge(budget, subject)])? {
            ReserveOutcome::Passed(_) => Ok(()),
            ReserveOutcome::Refused(exceeded) => Err(RateLimited::from(exceeded).into()),
        }
    }

    /// Charges the source for a call that another budget refused. Otherwise polling a spent budget
    /// would cost nothing. Call it once the refusal is final.
    pub fn charge_refusal(&self, limited: &RateLimited, source: Option<Source>) {
        if let Some(source) = source
            && limited.budget != Budget::Source
        {
            self.spend(Budget::Source, &LimitSubject::Source(source));
        }
    }

    /// Resets the counts of the given budgets.
    pub fn clear(&self, of: &[(Budget, LimitSubject<'_>)]) {
        let Some(counting) = &self.counting else { return };
        let charges: Vec<_> = of.iter().map(|(budget, subject)| counting.charge(*budget, subject)).collect();
        if let Err(error) = counting.limiter.clear(&charges) {
            tracing::warn!(target: "app", %error, "Rate limit not cleared");
        }
    }

    /// Returns the waiter of a source, so that sources back off separately.
    pub(super) fn waiter(&self, source: Source) -> Waiter {
        let message = format!("waiter/{source}");
        let digest = self.counting.as_ref().map(|counting| counting.authenticator.sign(message.as_bytes()));
        digest.map(|digest| Waiter::from_digest(&digest)).unwrap_or_default()
    }

    /// Refuses if the budget is spent. Charges nothing.
    pub fn check(&self, budget: Budget, subject: &LimitSubject<'_>) -> Result<(), LimitError> {
        let Some(counting) = &self.counting else { return Ok(()) };
        let charge = counting.charge(budget, subject);
        if counting.limiter.remaining(&charge)? > 0 {
            return Ok(());
        }
        // Only the limiter knows the delay. A charge that passes after all is refunded.
        match counting.limiter.reserve(&[charge])? {
            ReserveOutcome::Passed(reservation) => Ok(counting.limiter.refund(&reservation)?),
            ReserveOutcome::Refused(exceeded) => Err(RateLimited::from(exceeded).into()),
        }
    }

    /// Returns whether this process [recorded](Self::record) the subject, so that
    /// [`check`](Self::check) may refuse. Uses no network.
    #[must_use]
    pub fn is_recorded(&self, budget: Budget, subject: &LimitSubject<'_>) -> bool {
        let Some(counting) = &self.counting else { return false };
        let Some(local) = &counting.local else { return true };
        let charge = counting.local_charge(budget, subject);
        // If the limiter fails, report nothing as recorded.
        local.remaining(&charge).is_ok_and(|left| left < charge.rule.remaining(None, Duration::ZERO))
    }

    /// Charges an event that has already happened, if the budget has room. Never refuses.
    pub fn record(&self, budget: Budget, subject: &LimitSubject<'_>) {
        if let Some(counting) = &self.counting
            && let Some(local) = &counting.local
        {
            // Only the first record matters, so a refusal is ignored.
            drop(local.reserve(&[counting.local_charge(budget, subject)]));
        }
        self.spend(budget, subject);
    }

    fn spend(&self, budget: Budget, subject: &LimitSubject<'_>) {
        match self.admit(&[(budget, *subject)]) {
            Ok(admission) => admission.commit(),
            Err(LimitError::Limited(_)) => {}
            Err(LimitError::Failed(error)) => tracing::warn!(target: "app", %error, "A try was not counted"),
        }
    }

    /// Checks the limiter without a charge, so that its circuit can open and close without a call that
    /// needs it.
    pub fn probe(&self) {
        if let Some(counting) = &self.counting {
            // Only the circuit around the limiter needs the result.
            drop(counting.limiter.check());
        }
    }

    /// Returns whether admitted calls under the key are in flight in this process. If one succeeds, its
    /// charge is refunded, so the refusal may not be final.
    #[must_use]
    pub fn has_in_flight(&self, limited: &RateLimited) -> bool {
        self.in_flight.0.lock().contains_key(&limited.key)
    }
}

impl Counting {
    /// Uses a separate key, because the main limiter may count its own charges in the same local
    /// limiter.
    fn local_charge(&self, budget: Budget, subject: &LimitSubject<'_>) -> Charge {
        let message = [b"local/".as_slice(), &subject.key_bytes(budget)].concat();
        let key = LimitKey::from_digest(&self.authenticator.sign(&message));
        Charge::new(budget, key, self.rules.for_budget(budget))
    }

    fn charge(&self, budget: Budget, subject: &LimitSubject<'_>) -> Charge {
        let key = LimitKey::from_digest(&self.authenticator.sign(&subject.key_bytes(budget)));
        Charge::new(budget, key, self.rules.for_budget(budget))
    }
}

/// Number of calls in flight for each key.
#[derive(Default)]
pub(super) struct InFlight(Mutex<HashMap<LimitKey, usize>>);

impl InFlight {
    pub(super) fn begin(&self, reservation: &Reservation) {
        let mut calls = self.0.lock();
        for held in &reservation.held {
            *calls.entry(held.charge.key).or_default() += 1;
        }
    }

    pub(super) fn count(&self, key: LimitKey) -> u32 {
        self.0.lock().get(&key).map_or(0, |count| u32::try_from(*count).unwrap_or(u32::MAX))
    }

    pub(super) fn end(&self, reservation: &Reservation) {
        let mut calls = self.0.lock();
        for held in &reservation.held {
            let key = held.charge.key;
            match calls.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(calls.remove(&key)),
            }
        }
    }
}
