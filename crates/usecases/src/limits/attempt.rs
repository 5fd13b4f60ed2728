//! What a call is counted as, before the work.

use super::budgets::Draw;
use super::{Admission, LimitError, Limits, RateLimited};
use crate::caller::Caller;
use portcullis_domain::limits::{Budget, DeviceId, LimitSubject, Source, Waiter};
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::EmailAddress;

/// Waiter that all unknown devices share once the daily ceiling is reached.
pub(super) const STRANGERS: Waiter = Waiter::new(1);
/// Waiter of known devices, so that unknown devices cannot use up their attempts.
pub(super) const KNOWN_DEVICES: Waiter = Waiter::new(2);
/// Waiter of known sources, which the ceiling counts but never refuses.
const KNOWN_SOURCES: Waiter = Waiter::new(3);

/// What a call is counted as.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// A guess at the password of an account. Charged if the guess is wrong.
    Guess(Guess),
    /// An email to an address, known or not. Charged if the call succeeds. Each purpose has its own
    /// budget: requests for one purpose never use up another.
    Mail(Occasion, EmailAddress, Option<Source>),
    /// A call of a source.
    Call(Option<Source>),
}

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

/// Outcomes that keep the charges of an admission. All others refund them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    WrongGuess,
    Success,
}

impl Attempt {
    /// Creates the attempt of a caller who requests an email.
    #[must_use]
    pub fn mail(purpose: Occasion, to: &EmailAddress, caller: &Caller) -> Self {
        Self::Mail(purpose, to.clone(), caller.source())
    }

    /// Returns the source of the call.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        match self {
            Self::Guess(Guess { source, .. }) | Self::Mail(_, _, source) | Self::Call(source) => *source,
        }
    }

    /// Returns the guess that may pass after this refusal if its source logged in to the account
    /// before.
    #[must_use]
    pub fn may_be_known(&self, limited: &RateLimited) -> Option<&Guess> {
        match self {
            Self::Guess(guess) if matches!(limited.budget, Budget::Account | Budget::AccountDay) => {
                guess.source.is_some().then_some(guess)
            }
            _ => None,
        }
    }
}

impl Guess {
    /// Creates the guess of a caller, whose device is known or not.
    #[must_use]
    pub fn new(email: &EmailAddress, device: Option<DeviceId>, caller: &Caller) -> Self {
        Self { email: email.clone(), device, source: caller.source(), is_call: !caller.is_charged }
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

    fn call(&self) -> Option<Draw<'_>> {
        call_of(self.source.filter(|_| self.is_call))
    }
}

pub(super) fn call_of<'a>(source: Option<Source>) -> Option<Draw<'a>> {
    source.map(|source| Draw::new(Budget::Source, LimitSubject::Source(source)))
}

impl Limits {
    /// Counts an attempt. Does not query the store, so a guess from a known source may be refused:
    /// count it as [known](Self::count_known) then.
    pub fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        match attempt {
            Attempt::Guess(guess) => self.count_guess(guess),
            Attempt::Mail(purpose, to, source) => {
                let mail = Draw::new(Budget::Mail, LimitSubject::Mail(*purpose, to));
                self.admit_draws(Keeps::Success, [Some(mail), call_of(*source)], None)
            }
            Attempt::Call(source) => self.admit_draws(Keeps::Success, [call_of(*source)], None),
        }
    }

    fn count_guess(&self, guess: &Guess) -> Result<Admission, LimitError> {
        let stranger = || {
            let waiter = guess.source.map(|source| self.waiter(source)).unwrap_or_default();
            Draw { waiter, ..Draw::new(Budget::Account, guess.account()) }
        };
        let waiter = if guess.device.is_some() { KNOWN_DEVICES } else { STRANGERS };
        let ceiling = Draw { waiter, ..Draw::new(Budget::AccountDay, guess.account()) };
        let draws = [Some(guess.own_device().unwrap_or_else(stranger)), Some(ceiling), guess.call()];
        // A wrong guess also counts against the source's budget. Otherwise a source that turns out to
        // be known would get extra attempts.
        self.admit_draws(Keeps::WrongGuess, draws, guess.own_source())
    }

    /// Counts a guess from a source that logged in to the account before. Charges the budgets of the
    /// source and of its known device, if any.
    pub fn count_known(&self, guess: &Guess) -> Result<Admission, LimitError> {
        // The ceiling counts the guess but never refuses it.
        let ceiling = Draw { waiter: KNOWN_SOURCES, ..Draw::new(Budget::AccountDay, guess.account()) };
        self.admit_draws(Keeps::WrongGuess, [guess.own_device(), guess.own_source(), guess.call()], Some(ceiling))
    }
}
