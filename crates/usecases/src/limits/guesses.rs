//! Guesses at the password of an account, wherever it is asked for: one count for all places.
//!
//! Unknown devices share the budget of the account, and past it each source has its own waits. A
//! known device has a budget of its own, and so has a source that signed in to the account before.
//! Over all of them there is a ceiling a day.

use super::budgets::Draw;
use super::{Admission, DeviceCookies, LimitError, Limits, RateLimited};
use portcullis_domain::limits::{Budget, DeviceId, LimitSubject, Source, Waiter};
use portcullis_domain::login;
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

/// The waits of unknown devices, past the ceiling of a day.
const STRANGERS: Waiter = Waiter::new(1);
/// Those of known devices: strangers never use them up.
const KNOWN_DEVICES: Waiter = Waiter::new(2);
/// Those of known sources, which are never refused by the ceiling.
const KNOWN_SOURCES: Waiter = Waiter::new(3);

/// A guess at the password of an account.
#[derive(Debug, Clone)]
pub struct Guess {
    /// Whose password, known or not.
    pub email: EmailAddress,
    /// The known device that it comes from.
    pub device: Option<DeviceId>,
    /// The source that it comes from.
    pub source: Option<Source>,
    /// Whether to charge the call to its source too. `false` if it was charged before.
    pub is_call: bool,
}

impl Guess {
    /// A guess by somebody who is signed in.
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
    /// What counts.
    pub limits: Arc<Limits>,
    /// What knows devices and sources.
    pub devices: Arc<DeviceCookies>,
    /// Where sessions are kept, which tell the sources that signed in before.
    pub store: Arc<dyn Store>,
}

impl Guesses {
    /// Counts a guess, before the work: [`validate`](Self::validate), and where that refuses
    /// [`admit_known`](Self::admit_known), if the source is known. A refusal is charged to the source.
    ///
    /// # Errors
    /// [`LimitError`].
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

    /// Counts a guess of a device, or of a stranger. Looks nothing up.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let stranger = || {
            let waiter = guess.source.map(|source| self.limits.waiter(source)).unwrap_or_default();
            Draw { waiter, ..Draw::new(Budget::Account, guess.account()) }
        };
        let waiter = if guess.device.is_some() { KNOWN_DEVICES } else { STRANGERS };
        let ceiling = Draw { waiter, ..Draw::new(Budget::AccountDay, guess.account()) };
        let draws = [Some(guess.own_device().unwrap_or_else(stranger)), Some(ceiling), guess.call_of_source()];
        // A wrong one is spent from the budget of the source too: once it is found to be known, it has
        // no further tries on top.
        self.limits.admit_draws(&draws.into_iter().flatten().collect::<Vec<_>>(), guess.own_source())
    }

    /// Counts a guess from a source that signed in to the account before: against its own budget, and
    /// that of its device.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit_known(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let draws = [guess.own_device(), guess.own_source(), guess.call_of_source()];
        // The ceiling counts it, and does not refuse it.
        let ceiling = Draw { waiter: KNOWN_SOURCES, ..Draw::new(Budget::AccountDay, guess.account()) };
        self.limits.admit_draws(&draws.into_iter().flatten().collect::<Vec<_>>(), Some(ceiling))
    }

    /// Whether a guess that was refused may pass from a source that signed in to the account before.
    #[must_use]
    pub fn may_be_known(guess: &Guess, limited: &RateLimited) -> bool {
        guess.source.is_some() && matches!(limited.budget, Budget::Account | Budget::AccountDay)
    }

    /// Returns whether the source signed in to the account before, with the password that it has now.
    /// Takes the same work for every address: one account and one session are looked for. A store that
    /// fails knows none.
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

    /// Forgets the guesses at the password of an account, and those of the source that set a new one.
    /// Devices keep what they have spent.
    pub fn clear(&self, email: &EmailAddress, from: &ClientInfo) {
        let account = [Budget::Account, Budget::AccountDay].map(|budget| (budget, LimitSubject::Account(email)));
        let source = from.ip_address.map(Source::from_ip);
        let own = source.map(|source| (Budget::AccountSource, LimitSubject::AccountSource(email, source)));
        self.limits.clear(&account.into_iter().chain(own).collect::<Vec<_>>());
    }
}
