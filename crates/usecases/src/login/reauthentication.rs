//! Asks somebody who is signed in for their password again: a token that was stolen is not enough
//! for what would keep its owner out.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, DeviceCookies, Guess, Guesses, LimitError, RateLimited};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{Password, User, UserId};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher, Store, StoreError, StoreExt};
use std::sync::Arc;

/// How often a password is verified while others replace the hash that it was verified against.
pub(crate) const MAX_ATTEMPTS: usize = 3;

/// The password is another, or the account is gone.
#[derive(Debug)]
pub(crate) struct WrongPassword;

/// Why nothing was done for whoever says that they are the owner.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticationError {
    /// The password is another, or the account is gone.
    #[error("Invalid email or password")]
    InvalidCredentials,
    /// A budget is spent.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(ReauthenticationError: StoreError, HasherError);

impl From<WrongPassword> for ReauthenticationError {
    fn from(WrongPassword: WrongPassword) -> Self {
        Self::InvalidCredentials
    }
}

impl From<LimitError> for ReauthenticationError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl ReauthenticationError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// What asks for passwords again.
pub struct Reauthentication {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// What verifies passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// How often it may be tried.
    pub guesses: Arc<Guesses>,
    /// What knows devices.
    pub devices: Arc<DeviceCookies>,
}

/// Compares a password with an account's hash. One that cannot be read is the operator's to repair.
pub(super) fn verify(
    hasher: &dyn PasswordHasher,
    password: &Password,
    user: &User,
    cancellation: &CancellationToken,
) -> Result<PasswordCheck, HasherError> {
    let verification = hasher.verify(password, &user.password, cancellation)?;
    if verification == PasswordCheck::Unreadable {
        tracing::error!(target: LOG, user_id = user.id.get(), "Stored password hash is unreadable");
    }
    Ok(verification)
}

/// Nobody's fault: the account's hash changed whenever it was looked at.
pub(crate) fn hash_contention() -> StoreError {
    StoreError::Busy("the password hash changed whenever it was looked at".to_owned())
}

impl Reauthentication {
    /// Returns the guess to count before the work: a login's and this one draw on the same budgets, so
    /// that a stolen token gives its thief no further guesses. A known device keeps its own budget.
    #[must_use]
    pub fn guess(&self, owner: &Authenticated, device: Option<&str>, from: &ClientInfo) -> Guess {
        let device = device.and_then(|cookie| self.devices.recognise(cookie, &owner.user));
        Guess::at_own(&owner.user, device, from)
    }

    /// Counts a guess.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit(&self, guess: &Guess) -> Result<Admission, LimitError> {
        self.guesses.count(guess)
    }

    /// Acts for an account whose password was verified. The act tells by `None` that another hash
    /// has taken the place of the one that it was verified against, and that it did nothing.
    pub(crate) fn with_verified_password<T, E>(
        &self,
        owner: &User,
        password: &Password,
        cancellation: &CancellationToken,
        mut act: impl FnMut(&User) -> Result<Option<T>, E>,
    ) -> Result<T, E>
    where
        E: From<StoreError> + From<HasherError> + From<WrongPassword>,
    {
        let mut user = owner.clone();
        for _ in 0..MAX_ATTEMPTS {
            if !matches!(verify(&*self.hasher, password, &user, cancellation)?, PasswordCheck::Match { .. }) {
                return Err(WrongPassword.into());
            }
            if let Some(done) = act(&user)? {
                return Ok(done);
            }
            user = self.reload(user.id)?.ok_or(WrongPassword)?;
        }
        Err(hash_contention().into())
    }

    fn reload(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.store.read(|tx| tx.users().find(id))?.filter(|user| user.is_active))
    }
}
