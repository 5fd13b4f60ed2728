//! Asks a logged-in user for the password again, so that a stolen token alone cannot lock the owner
//! out.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, DeviceCookies, Guess, Guesses, LimitError, RateLimited};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{Password, User, UserId};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{CancellationToken, HasherError, PasswordCheck, PasswordHasher, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Maximum number of password checks while other requests replace the hash.
pub(crate) const MAX_ATTEMPTS: usize = 3;

/// The password is wrong, or the account no longer exists.
#[derive(Debug)]
pub(crate) struct WrongPassword;

/// Reason why reauthentication failed.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticationError {
    /// The password is wrong, or the account no longer exists.
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
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
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
    user: &User,
    cancellation: &CancellationToken,
) -> Result<PasswordCheck, HasherError> {
    let verification = hasher.verify(password, &user.password, cancellation)?;
    if verification == PasswordCheck::Unreadable {
        tracing::error!(target: LOG, user_id = user.id.get(), "Stored password hash is unreadable");
    }
    Ok(verification)
}

/// Creates the error for an account whose hash changed in every attempt.
pub(crate) fn hash_contention() -> StoreError {
    StoreError::Busy("the password hash changed whenever it was looked at".to_owned())
}

impl Reauthentication {
    /// Returns the guess to count before the work. It draws on the same budgets as a login, so that a
    /// stolen token gives an attacker no additional guesses. A known device keeps its own budget.
    #[must_use]
    pub fn guess(&self, owner: &Authenticated, device: Option<&str>, from: &ClientInfo) -> Guess {
        let device = device.and_then(|cookie| self.devices.recognise(cookie, &owner.user));
        Guess::at_own(&owner.user, device, from)
    }

    /// Counts a guess.
    pub fn admit(&self, guess: &Guess) -> Result<Admission, LimitError> {
        self.guesses.count(guess)
    }

    /// Runs `act` for an account once the password is verified. If the hash changed since the check,
    /// `act` must return `None` and change nothing; the check is then repeated.
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
