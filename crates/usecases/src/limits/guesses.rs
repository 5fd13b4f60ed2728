//! Counts guesses at an account's password: all places that ask for it share the budgets.
//!
//! Unknown devices share the budget of the account; once it is spent, each source backs off separately.
//! A known device has its own budget, and so has a source that logged in to the account before. A daily
//! ceiling covers them all.

use super::budgets::Draw;
use super::{Admission, DeviceCookies, LimitError, Limits, RateLimited};
use portcullis_domain::limits::{Budget, DeviceId, LimitSubject, Source, Waiter};
use portcullis_domain::login;
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// Waiter that all unknown devices share once the daily ceiling is reached.
const STRANGERS: Waiter = Waiter::new(1);
/// Waiter of known devices, so that unknown devices cannot use up their attempts.
const KNOWN_DEVICES: Waiter = Waiter::new(2);
/// Waiter of known sources, which the ceiling counts but never refuses.
const KNOWN_SOURCES: Waiter = Waiter::new(3);

/// A guess at the password of an account.
#[derive(Debug, Clone)]
pub struct Guess {
    /// Email of the account, whether it exists or not.
    pub email: EmailAddress,
    /// Known device that sent the guess.
    pub device: Option<DeviceId>,
    /// Source that sent the guess.
    pub source: Option<Source>,
    /// `true` to charge the source for the call too, `false` if the source was already charged.
    pub is_call: bool,
}

impl Guess {
    /// Creates the guess of a user who is logged in.
    #[must_use]
    pub fn at_own(user: &User, device: Option<DeviceId>, from: &ClientInfo) -> Self {
        let source = from.ip_address.map(Source::from_ip);
        Self { email: user.email.clone(), device, source, is_call: true }
    }

    fn account(&self) -> LimitSubject<'_> {
        LimitSubject::Account(&self.email)
    }

    fn own_device(&self) -> Option<Draw<'_>> {
        self.device.map(|device| Draw::new(Budget::Device, LimitSubject::Device(&self.email, device)))
    }

    fn own_source(&self) -> Option<Draw<'_>> {
        self.source.map(|source| Draw::new(Budget::AccountSource, LimitSubject::AccountSource(&self.email, source)))
    }

    fn call_of_source(&self) -> Option<Draw<'_>> {
        let source = self.source.filter(|_| self.is_call);
        source.map(|source| Draw::new(Budget::Source, LimitSubject::Source(source)))
    }
}

/// Counts guesses at passwords.
pub struct Guesses {
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Known devices and sources.
    pub devices: Arc<DeviceCookies>,
    /// Store of sessions, to look up the sources that logged in before.
    pub store: Arc<dyn Store>,
}

impl Guesses {
    /// Counts a guess before the work: [`admit`](Self::admit), then [`admit_known`](Self::admit_known)
    /// if that refuses and the source is known. Charges a final refusal to the source.
    pub fn count(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let limited = match self.admit(guess) {
            Err(LimitError::Limited(limited)) => limited,
            outcome => return outcome,
        };
        if Self::may_be_known(guess, &limited) && self.knows_source(guess) {
            match self.admit_known(guess) {
                Err(LimitError::Limited(_)) => {}
                outcome => return outcome,
            }
        }
        self.limits.charge_refusal(&limited, guess.source);
        Err(limited.into())
    }

    /// Counts a guess from a known or an unknown device. Does not query the store.
    pub fn admit(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let stranger = || {
            let waiter = guess.source.map(|source| self.limits.waiter(source)).unwrap_or_default();
            Draw { waiter, ..Draw::new(Budget::Account, guess.account()) }
        };
        let waiter = if guess.device.is_some() { KNOWN_DEVICES } else { STRANGERS };
        let ceiling = Draw { waiter, ..Draw::new(Budget::AccountDay, guess.account()) };
        let draws = [Some(guess.own_device().unwrap_or_else(stranger)), Some(ceiling), guess.call_of_source()];
        // A wrong guess also counts against the source's budget. Otherwise a source that turns out to
        // be known would get extra attempts.
        self.limits.admit_draws(&draws.into_iter().flatten().collect::<Vec<_>>(), guess.own_source())
    }

    /// Counts a guess from a source that logged in to the account before. Charges the budgets of the
    /// source and of its known device, if any.
    pub fn admit_known(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let draws = [guess.own_device(), guess.own_source(), guess.call_of_source()];
        // The ceiling counts the guess but never refuses it.
        let ceiling = Draw { waiter: KNOWN_SOURCES, ..Draw::new(Budget::AccountDay, guess.account()) };
        self.limits.admit_draws(&draws.into_iter().flatten().collect::<Vec<_>>(), Some(ceiling))
    }

    /// Returns whether a refused guess may pass if its source logged in to the account before.
    #[must_use]
    pub fn may_be_known(guess: &Guess, limited: &RateLimited) -> bool {
        guess.source.is_some() && matches!(limited.budget, Budget::Account | Budget::AccountDay)
    }

    /// Returns whether the source logged in to the account before, with the current password. Does the
    /// same work for every email: one account and one session lookup. Returns `false` if the store
    /// fails.
    #[must_use]
    pub fn knows_source(&self, guess: &Guess) -> bool {
        let Some(source) = guess.source else { return false };
        let known = self.store.read(|tx| {
            let user = login::select_account(tx.users().find_by_email(&guess.email)?, &guess.email);
            let known = tx.sessions().knows_source(&self.devices.source_hash(user.as_ref(), source))?;
            Ok::<_, StoreError>(known && user.is_some())
        });
        known.unwrap_or_else(|error| {
            tracing::warn!(target: "app", %error, "Known source not looked up");
            false
        })
    }

    /// Resets the guesses at the password of an account, and those of the source that set a new one.
    /// Device budgets stay as they are.
    pub fn clear(&self, email: &EmailAddress, from: &ClientInfo) {
        let account = [Budget::Account, Budget::AccountDay].map(|budget| (budget, LimitSubject::Account(email)));
        let source = from.ip_address.map(Source::from_ip);
        let own = source.map(|source| (Budget::AccountSource, LimitSubject::AccountSource(email, source)));
        self.limits.clear(&account.into_iter().chain(own).collect::<Vec<_>>());
    }
}
