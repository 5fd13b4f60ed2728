//! The budgets of the service.

use super::{Admission, LimitError, Limited};
use portcullis_domain::limits::{Budget, LimitKey, Rule, Subject};
use portcullis_ports::{Charge, MessageAuthenticator, RateLimiter, Reservation, Reserved};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How each budget is counted.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Failed logins of one account from unknown devices.
    pub account: Rule,
    /// Failed logins of one account from one known device.
    pub device: Rule,
    /// Calls of one source.
    pub source: Rule,
    /// Mails to one address.
    pub mail: Rule,
    /// Refreshes with one token that cannot succeed.
    pub dead_refresh: Rule,
}

impl Rules {
    fn of(&self, budget: Budget) -> Rule {
        match budget {
            Budget::Account => self.account,
            Budget::Device => self.device,
            Budget::Source => self.source,
            Budget::Mail => self.mail,
            Budget::DeadRefresh => self.dead_refresh,
        }
    }
}

/// The budgets of the service, or none.
pub struct Limits {
    counting: Option<Counting>,
    in_flight: Arc<InFlight>,
}

struct Counting {
    limiter: Arc<dyn RateLimiter>,
    authenticator: Arc<dyn MessageAuthenticator>,
    rules: Rules,
}

impl Limits {
    /// Budgets that a limiter counts. Their keys are codes of the authenticator: whoever reads the
    /// limiter's memory learns no address.
    #[must_use]
    pub fn new(limiter: Arc<dyn RateLimiter>, authenticator: Arc<dyn MessageAuthenticator>, rules: Rules) -> Self {
        Self { counting: Some(Counting { limiter, authenticator, rules }), in_flight: Arc::default() }
    }

    /// No limits at all.
    #[must_use]
    pub fn off() -> Self {
        Self { counting: None, in_flight: Arc::default() }
    }

    /// Counts one call against every budget that it draws on, or against none.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit(&self, draws: &[(Budget, Subject<'_>)]) -> Result<Admission, LimitError> {
        let Some(counting) = &self.counting else { return Ok(Admission::free()) };
        let charges: Vec<_> = draws.iter().map(|(budget, subject)| counting.charge(*budget, subject)).collect();
        match counting.limiter.reserve(&charges)? {
            Reserved::Passed(reservation) => {
                Ok(Admission::of(counting.limiter.clone(), reservation, self.in_flight.clone()))
            }
            Reserved::Refused(exceeded) => Err(Limited::from(exceeded).into()),
        }
    }

    /// Refuses where a budget has nothing left. Counts nothing.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn check(&self, budget: Budget, subject: &Subject<'_>) -> Result<(), LimitError> {
        let Some(counting) = &self.counting else { return Ok(()) };
        let charge = counting.charge(budget, subject);
        if counting.limiter.remaining(&charge)? > 0 {
            return Ok(());
        }
        // Only the limiter knows for how long; what passes after all is given back.
        match counting.limiter.reserve(&[charge])? {
            Reserved::Passed(reservation) => Ok(counting.limiter.refund(&reservation)?),
            Reserved::Refused(exceeded) => Err(Limited::from(exceeded).into()),
        }
    }

    /// Counts what has happened, if there is anything left to count it against.
    pub fn record(&self, budget: Budget, subject: &Subject<'_>) {
        match self.admit(&[(budget, *subject)]) {
            Ok(admission) => admission.spend(),
            Err(LimitError::Limited(_)) => {}
            Err(LimitError::Failed(error)) => tracing::warn!(target: "app", %error, "A try was not counted"),
        }
    }

    /// Whether calls that were admitted under the key are still at work in this process: one that
    /// succeeds gives its place back, so a refusal may not be the last word.
    #[must_use]
    pub fn is_contended(&self, limited: &Limited) -> bool {
        lock(&self.in_flight.0).contains_key(&limited.key)
    }
}

impl Counting {
    fn charge(&self, budget: Budget, subject: &Subject<'_>) -> Charge {
        let key = LimitKey::of_digest(&self.authenticator.code(&subject.canonical(budget)));
        Charge { budget, key, rule: self.rules.of(budget) }
    }
}

/// How many calls are at work under each key.
#[derive(Default)]
pub(super) struct InFlight(Mutex<HashMap<LimitKey, usize>>);

impl InFlight {
    pub(super) fn begin(&self, reservation: &Reservation) {
        let mut calls = lock(&self.0);
        for held in &reservation.held {
            *calls.entry(held.charge.key).or_default() += 1;
        }
    }

    pub(super) fn end(&self, reservation: &Reservation) {
        let mut calls = lock(&self.0);
        for held in &reservation.held {
            let key = held.charge.key;
            match calls.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(calls.remove(&key)),
            }
        }
    }
}

type Calls = HashMap<LimitKey, usize>;

/// Locks, poisoned or not: no step under the lock leaves a count half changed.
fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}
