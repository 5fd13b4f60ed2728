//! Asks a logged-in user for the password again, so that a stolen token alone cannot lock the owner
//! out.

use super::proof::{Attempted, while_it_changes};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{DeviceCookies, Guess, Guesses};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher, Store, StoreExt};
use std::sync::Arc;

/// The password is wrong, or the account no longer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid email or password")]
pub struct WrongPassword;

/// Error of a use case that asks for the password again, and refuses for no other reason.
pub type ReauthenticationError = UseCaseError<WrongPassword>;

impl Reason for WrongPassword {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidCredentials
    }
}

/// Asks logged-in users for their password again.
pub struct Reauthentication {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
    /// Password hasher.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Limit on guesses at passwords.
    pub guesses: Arc<Guesses>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
}

/// Checks a password against an account's hash. Logs an unreadable hash, which an operator must repair.
pub(super) fn verify(
    hasher: &dyn PasswordHasher,
    password: &Password,
    owner: &Owner,
    cancellation: &CancellationToken,
) -> Result<PasswordCheck, HasherError> {
    let verification = hasher.verify(password, owner.credentials.hash(), cancellation)?;
    if verification == PasswordCheck::Unreadable {
        tracing::error!(target: LOG, user_id = owner.user.id.get(), "Stored password hash is unreadable");
    }
    Ok(verification)
}

impl Reauthentication {
    /// Returns the guess to count before the work. It draws on the same budgets as a login, so that a
    /// stolen token gives an attacker no additional guesses. A known device keeps its own budget.
    pub(crate) fn guess(&self, account: &EmailAddress, password: &PasswordHash, caller: &Caller) -> Guess {
        let device = self.devices.known_device(caller, account, password);
        Guess::new(account, device, caller)
    }

    /// Runs `act` for an account once the password is verified. If the hash changed since the check,
    /// `act` must return `None` and change nothing; the check is then repeated.
    pub(crate) fn with_verified_password<T, R: Reason + From<WrongPassword>>(
        &self,
        owner: &Authenticated,
        password: &Password,
        caller: &Caller,
        mut act: impl FnMut(&Owner) -> Result<Option<T>, UseCaseError<R>>,
    ) -> Result<T, UseCaseError<R>> {
        let first = self.store.read(|tx| tx.credentials().owner(owner.user.id))?;
        while_it_changes(&*self.store, first, |owner| {
            let owner = owner.filter(|owner| owner.user.is_active).ok_or_else(|| R::from(WrongPassword))?;
            if !matches!(verify(&*self.hasher, password, &owner, &caller.cancellation)?, PasswordCheck::Match { .. }) {
                return Err(R::from(WrongPassword).into());
            }
            Ok(act(&owner)?.map_or(Attempted::Outdated(owner.user.id), Attempted::Done))
        })
    }
}
