//! Asks a logged-in user for the password again, so that a stolen token alone cannot lock the owner
//! out. An account without a password needs a recent authentication instead.

use super::proof::{Attempted, MAX_ATTEMPTS, hash_contention, while_it_changes};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{DeviceCookies, Guess, Guesses};
use crate::mfa::{MfaReason, StepUp};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::registration::{EmailAddress, Password, PasswordHash};
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher, Store, StoreExt, Tx};
use std::sync::Arc;

/// The password is wrong, or the account no longer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid email or password")]
pub struct WrongPassword;

impl Reason for WrongPassword {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidCredentials
    }
}

/// Reason why a logged-in user has not proven to be the owner.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticationReason {
    /// The password is wrong.
    #[error(transparent)]
    WrongPassword(#[from] WrongPassword),
    /// The session has ended, or its authentication is too old or too weak.
    #[error(transparent)]
    Session(#[from] MfaReason),
}

/// Error of a use case that requires a [`OwnerProof`], and refuses for no other reason.
pub type ReauthenticationError = UseCaseError<ReauthenticationReason>;

impl Reason for ReauthenticationReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::WrongPassword(reason) => reason.code(),
            Self::Session(reason) => reason.code(),
        }
    }
}

/// How a logged-in user proves to be the owner.
#[derive(Debug)]
pub enum OwnerProof {
    /// Password of the account.
    Password(Password),
    /// Recent authentication of the session, for an account without a password.
    RecentSession,
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
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
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

    /// Returns the guess to count before the work, if there is one: a recent session guesses nothing.
    pub(crate) fn guess_of(&self, session: &Authenticated, proof: &OwnerProof, caller: &Caller) -> Option<Guess> {
        let is_guess = matches!(proof, OwnerProof::Password(_));
        is_guess.then(|| self.guess(&session.user.email, &session.password, caller))
    }

    /// Like [`with_verified_password`](Self::with_verified_password), for either proof. `act` must call
    /// [`confirm`](Self::confirm) in its transaction.
    pub(crate) fn with_proof<T, R: Reason + From<WrongPassword> + From<MfaReason>>(
        &self,
        session: &Authenticated,
        proof: &OwnerProof,
        caller: &Caller,
        mut act: impl FnMut(&Owner) -> Result<Option<T>, UseCaseError<R>>,
    ) -> Result<T, UseCaseError<R>> {
        if let OwnerProof::Password(password) = proof {
            return self.with_verified_password(session, password, caller, act);
        }
        for _ in 0..MAX_ATTEMPTS {
            let owner = self.store.write(|tx| self.step_up.require(session, tx)).map_err(UseCaseError::convert)?;
            // The account has had a password since the request was read.
            if owner.credentials.has_password() {
                return Err(R::from(WrongPassword).into());
            }
            if let Some(done) = act(&owner)? {
                return Ok(done);
            }
        }
        Err(hash_contention().into())
    }

    /// Locks the account of a recent session and checks the session again: it may have ended since.
    pub(crate) fn confirm<R: Reason + From<MfaReason>>(
        &self,
        session: &Authenticated,
        proof: &OwnerProof,
        tx: &mut dyn Tx,
    ) -> Result<(), UseCaseError<R>> {
        match proof {
            OwnerProof::Password(_) => Ok(()),
            OwnerProof::RecentSession => self.step_up.require(session, tx).map(drop).map_err(UseCaseError::convert),
        }
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
