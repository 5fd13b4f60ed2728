//! Deletes the account of the authenticated user.

use super::{DeleteAccount, Finished};
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{Reauthentication, ReauthenticationError, WrongPassword};
use crate::tokens::Authenticated;
use portcullis_domain::registration::Password;
use std::sync::Arc;

/// Maximum number of deletion steps that the owner waits for. Enough for any account that was not
/// adopted; a purge does the rest.
const MAX_INLINE_STEPS: u32 = 20;

/// Input of the deletion.
#[derive(Debug)]
pub struct OwnAccountDeletion {
    /// Authenticated user whose account is deleted.
    pub owner: Authenticated,
    /// Password of the account.
    pub password: Password,
}

/// The account no longer exists for any caller, and its email is free.
#[derive(Debug)]
pub struct OwnAccountDeleted;

/// Deletes the authenticated user's account.
pub struct DeleteOwnAccount {
    /// Asks for the password again.
    pub reauthentication: Arc<Reauthentication>,
    /// Deletes accounts.
    pub deletion: Arc<DeleteAccount>,
}

impl Counted for DeleteOwnAccount {
    type Input = OwnAccountDeletion;
    type Output = OwnAccountDeleted;
    type Reason = WrongPassword;

    fn attempts(&self, input: &OwnAccountDeletion, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::Guess(self.reauthentication.guess(&input.owner.user.email, &input.owner.password, caller))]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.count(attempt)
    }

    fn act(
        &self,
        input: &OwnAccountDeletion,
        caller: &Caller,
        _: &Admission,
    ) -> Result<OwnAccountDeleted, ReauthenticationError> {
        let OwnAccountDeletion { owner, password } = input;
        let user_id = owner.user.id;
        self.reauthentication.with_verified_password(owner, password, caller, |owner| {
            let current = self
                .deletion
                .begin_if(user_id, caller, |tx| tx.credentials().still_current(user_id, &owner.credentials))?;
            Ok::<_, ReauthenticationError>(current.then_some(()))
        })?;
        // The account is deleted by now, even if the deletion of its rows fails.
        let mut steps = 0;
        let finished = self.deletion.finish(user_id, 0, &mut |_| {
            steps += 1;
            steps < MAX_INLINE_STEPS
        });
        match finished {
            Ok(Finished { referenced_by: Some(table), .. }) => {
                let user_id = user_id.get();
                tracing::warn!(target: LOG, user_id, table, "The row of a deleted account stays: a table refers to it");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(target: LOG, user_id = user_id.get(), %error, "Rows of a deleted account are left");
            }
        }
        Ok(OwnAccountDeleted)
    }
}
