//! Counts guesses at an account's second factor: codes and recovery codes share the budgets.
//!
//! Only a client that has passed the first factor gets here, so budgets are keyed by account id. Unknown
//! devices share the budget of the account; once it is spent, each source backs off separately. A known
//! device has its own budget. A daily ceiling covers them all: it stops an attacker who knows the password
//! and guesses six digits from any number of sources.

use super::attempt::{KNOWN_DEVICES, Keeps, STRANGERS};
use super::budgets::Draw;
use super::{Admission, LimitError, Limits};
use crate::caller::Caller;
use portcullis_domain::limits::{Budget, DeviceId, LimitSubject};
use portcullis_domain::registration::UserId;

impl Limits {
    /// Counts a guess at the second factor of an account, before it is checked. `device` is the known device
    /// that sent it. Does not charge the source for the call.
    pub fn count_second_factor(
        &self,
        user: UserId,
        device: Option<DeviceId>,
        caller: &Caller,
    ) -> Result<Admission, LimitError> {
        let account = LimitSubject::User(user);
        let own = device.map(|device| Draw::new(Budget::SecondFactorDevice, LimitSubject::UserDevice(user, device)));
        let stranger = || {
            let waiter = caller.source().map(|source| self.waiter(source)).unwrap_or_default();
            Draw { waiter, ..Draw::new(Budget::SecondFactor, account) }
        };
        let waiter = if own.is_some() { KNOWN_DEVICES } else { STRANGERS };
        let ceiling = Draw { waiter, ..Draw::new(Budget::SecondFactorDay, account) };
        self.admit_draws(Keeps::WrongGuess, [Some(own.unwrap_or_else(stranger)), Some(ceiling)], None)
    }
}
