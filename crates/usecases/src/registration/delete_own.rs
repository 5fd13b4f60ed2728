//! Deletes the account of the authenticated user.

use super::{DeleteAccount, Finished};
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{OwnerProof, Reauthentication, ReauthenticationError, ReauthenticationReason};
use crate::tokens::Authenticated;
use std::sync::Arc;

/// Maximum number of deletion steps that the owner waits for. Enough for any account that was not
/// adopted; a purge does the rest.
const MAX_INLINE_STEPS: u32 = 20;

/// Input of the deletion.
#[derive(Debug)]
pub struct OwnAccountDeletion {
    /// Authenticated user whose account is deleted.
    pub owner: Authenticated,
    /// Password of the account, if it has one.
    pub password: OwnerProof,
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
    type Reason = ReauthenticationReason;

    fn attempts(&self, input: &OwnAccountDeletion, caller: &Caller) -> Vec<Attempt> {
        let guess = self.reauthentication.guess_of(&input.owner, &input.password, caller);
        guess.into_iter().map(Attempt::Guess).collect()
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
        let OwnAccountDeletion { owner: session, password } = input;
        let user_id = session.user.id;
        self.reauthentication.with_proof(session, password, caller, |owner| {
            let current = self.deletion.begin_if(user_id, caller, |tx| {
                self.reauthentication.confirm::<ReauthenticationReason>(session, password, tx)?;
                Ok::<_, ReauthenticationError>(tx.credentials().still_current(user_id, &owner.credentials)?)
            })?;
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
