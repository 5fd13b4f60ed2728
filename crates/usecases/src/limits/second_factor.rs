//! Counts guesses at an account's second factor: codes and recovery codes share the budgets.
//!
//! Only a client that has passed the first factor gets here, so budgets are keyed by account id. Unknown
//! devices share the budget of the account; once it is spent, each source backs off separately. A known
//! device has its own budget. A daily ceiling covers them all: it stops an attacker who knows the password
//! and guesses six digits from any number of sources.

use super::attempt::{KNOWN_DEVICES, Keeps, STRANGERS, call_of};
use super::budgets::Draw;
use super::{Admission, LimitError, Limits};
use crate::caller::Caller;
use portcullis_domain::limits::{Budget, DeviceId, LimitSubject, Source};
use portcullis_domain::registration::UserId;

/// A guess at the second factor of an account.
#[derive(Debug, Clone, Copy)]
pub struct SecondFactorGuess {
    /// Account.
    pub user: UserId,
    /// Known device that sent the guess.
    pub device: Option<DeviceId>,
    /// Source that sent the guess.
    pub source: Option<Source>,
    /// `true` to charge the source for the call too, `false` if the source was already charged.
    pub is_call: bool,
}

impl SecondFactorGuess {
    /// Creates the guess of a caller, whose device is known or not.
    #[must_use]
    pub fn new(user: UserId, device: Option<DeviceId>, caller: &Caller) -> Self {
        Self { user, device, source: caller.source(), is_call: !caller.is_charged }
    }

    fn account(&self) -> LimitSubject<'static> {
        LimitSubject::User(self.user)
    }
}

impl Limits {
    /// Counts a guess at a second factor, before it is checked.
    pub fn count_second_factor(&self, guess: &SecondFactorGuess) -> Result<Admission, LimitError> {
        let own = guess
            .device
            .map(|device| Draw::new(Budget::SecondFactorDevice, LimitSubject::UserDevice(guess.user, device)));
        let stranger = || {
            let waiter = guess.source.map(|source| self.waiter(source)).unwrap_or_default();
            Draw { waiter, ..Draw::new(Budget::SecondFactor, guess.account()) }
        };
        let waiter = if own.is_some() { KNOWN_DEVICES } else { STRANGERS };
        let ceiling = Draw { waiter, ..Draw::new(Budget::SecondFactorDay, guess.account()) };
        let call = call_of(guess.source.filter(|_| guess.is_call));
        self.admit_draws(Keeps::WrongGuess, [Some(own.unwrap_or_else(stranger)), Some(ceiling), call], None)
    }
}
