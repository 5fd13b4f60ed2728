//! Counts guesses at an account's password: all places that ask for it share the budgets.
//!
//! Unknown devices share the budget of the account; once it is spent, each source backs off separately.
//! A known device has its own budget, and so has a source that logged in to the account before. A daily
//! ceiling covers them all.

use super::{Admission, Attempt, DeviceCookies, Guess, LimitError, Limits};
use crate::caller::Caller;
use portcullis_domain::limits::{Budget, LimitSubject};
use portcullis_domain::login;
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::sync::Arc;

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
    /// Counts an attempt before the work. A guess that is refused passes after all if its source is
    /// known. Charges a final refusal to the source.
    pub fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        let limited = match self.limits.count(attempt) {
            Err(LimitError::Limited(limited)) => limited,
            outcome => return outcome,
        };
        if let Some(guess) = attempt.may_be_known(&limited)
            && self.knows_source(guess)
        {
            match self.limits.count_known(guess) {
                Err(LimitError::Limited(_)) => {}
                outcome => return outcome,
            }
        }
        self.limits.charge_refusal(&limited, attempt.source());
        Err(limited.into())
    }

    /// Returns whether the source logged in to the account before, with the current password. Does the
    /// same work for every email: one account lookup, and a session lookup for each key. Returns `false` if the store
    /// fails.
    #[must_use]
    pub fn knows_source(&self, guess: &Guess) -> bool {
        let Some(source) = guess.source else { return false };
        let known = self.store.read(|tx| {
            let owner = login::select_account(tx.credentials().owners(&guess.email)?, &guess.email);
            let mut known = false;
            for hash in self.devices.source_hashes(owner.as_ref(), source) {
                known |= tx.sessions().knows_source(&hash)?;
            }
            Ok::<_, StoreError>(known && owner.is_some())
        });
        known.unwrap_or_else(|error| {
            tracing::warn!(target: "app", %error, "Known source not looked up");
            false
        })
    }

    /// Resets the guesses at the password of an account, and those of the source that set a new one.
    /// Device budgets stay as they are.
    pub fn clear(&self, email: &EmailAddress, caller: &Caller) {
        let account = [Budget::Account, Budget::AccountDay].map(|budget| (budget, LimitSubject::Account(email)));
        let own = caller.source().map(|source| (Budget::AccountSource, LimitSubject::AccountSource(email, source)));
        self.limits.clear(&account.into_iter().chain(own).collect::<Vec<_>>());
    }
}
