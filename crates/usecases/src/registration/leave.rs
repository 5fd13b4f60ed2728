//! Deletes the account of somebody who is signed in and wants to go.

use super::{AccountDeletion, DeleteAccount, DeleteError};
use crate::LOG;
use crate::failure::{Failure, fails_with};
use crate::limits::{Admission, LimitError, Limited};
use crate::login::{Reauthentication, WrongPassword};
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_domain::sessions::Origin;
use portcullis_ports::{HasherError, Patience, StoreError};
use std::sync::Arc;

/// How many steps of the deletion the owner waits for at most: what an account has that was not
/// adopted is gone by then. A purge does the rest.
const STEPS: u32 = 20;

/// Who wants to go.
#[derive(Debug)]
pub struct AccountLeave {
    /// Whose account it is.
    pub owner: Authenticated,
    /// Its password.
    pub password: Password,
    /// From where.
    pub origin: Origin,
}

/// The account is gone for everybody, and its address is free.
#[derive(Debug)]
pub struct Left;

/// Why the account is still there.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// The password is another.
    #[error("Invalid email or password")]
    InvalidCredentials,
    /// A budget is spent.
    #[error(transparent)]
    Limited(Limited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(Failure),
}

fails_with!(LeaveError: StoreError, HasherError);

impl From<WrongPassword> for LeaveError {
    fn from(WrongPassword: WrongPassword) -> Self {
        Self::InvalidCredentials
    }
}

impl From<LimitError> for LeaveError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<DeleteError> for LeaveError {
    fn from(DeleteError::Failed(failure): DeleteError) -> Self {
        Self::Failed(failure)
    }
}

impl LeaveError {
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

/// The verb.
pub struct Leave {
    /// What asks for the password again.
    pub owners: Arc<Reauthentication>,
    /// What deletes accounts.
    pub deletion: Arc<DeleteAccount>,
}

impl Leave {
    /// Leaves: [`admit`](Self::admit), then [`carry_out`](Self::carry_out).
    ///
    /// # Errors
    /// [`LeaveError`].
    pub fn run(
        &self,
        input: &AccountLeave,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Left, LeaveError> {
        let admission = self.admit(input)?;
        self.carry_out(input, admission, still_wanted)
    }

    /// Counts the guess, before the work.
    ///
    /// # Errors
    /// [`LeaveError`].
    pub fn admit(&self, input: &AccountLeave) -> Result<Admission, LeaveError> {
        Ok(self.owners.admit(&input.owner)?)
    }

    /// Verifies the password and deletes the account. A wrong guess is spent; whatever else
    /// happens gives the try back.
    ///
    /// # Errors
    /// [`LeaveError`].
    pub fn carry_out(
        &self,
        input: &AccountLeave,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Left, LeaveError> {
        let outcome = self.leave(input, &Patience::lasting_while(still_wanted));
        if matches!(outcome, Err(LeaveError::InvalidCredentials)) {
            admission.spend();
        }
        outcome
    }

    fn leave(&self, input: &AccountLeave, patience: &Patience) -> Result<Left, LeaveError> {
        let user_id = input.owner.user.id;
        let deletion = AccountDeletion { user_id, origin: input.origin.clone() };
        self.owners.under(&input.owner.user, &input.password, patience, |user| {
            let begun = self.deletion.begin_while(&deletion, |tx| tx.users().admits(user.id, &user.password))?;
            Ok::<_, LeaveError>(begun.then_some(()))
        })?;
        // It is gone by now, whatever becomes of its rows.
        let mut steps = 0;
        let finished = self.deletion.finish(user_id, 0, &mut |_| {
            steps += 1;
            steps < STEPS
        });
        if let Err(error) = finished {
            tracing::warn!(target: LOG, user_id = user_id.get(), %error, "Rows of a deleted account are left");
        }
        Ok(Left)
    }
}
