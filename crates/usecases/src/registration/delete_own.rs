//! Deletes the account of somebody who is signed in and wants to go.

use super::{AccountDeletion, DeleteAccount, DeleteError, Finished};
use crate::LOG;
use crate::limits::{Admission, Guess};
use crate::login::{Reauthentication, ReauthenticationError};
use crate::tokens::Authenticated;
use portcullis_domain::registration::Password;
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::CancellationToken;
use std::sync::Arc;

/// How many steps of the deletion the owner waits for at most: what an account has that was not
/// adopted is gone by then. A purge does the rest.
const MAX_INLINE_STEPS: u32 = 20;

/// Who wants to go.
#[derive(Debug)]
pub struct OwnAccountDeletion {
    /// Whose account it is.
    pub owner: Authenticated,
    /// Its password.
    pub password: Password,
    /// From where.
    pub client: ClientInfo,
    /// The cookie of the device, if it sent one.
    pub device: Option<String>,
}

/// The account is gone for everybody, and its address is free.
#[derive(Debug)]
pub struct OwnAccountDeleted;

/// The verb.
pub struct DeleteOwnAccount {
    /// What asks for the password again.
    pub reauthentication: Arc<Reauthentication>,
    /// What deletes accounts.
    pub deletion: Arc<DeleteAccount>,
}

impl DeleteOwnAccount {
    /// Leaves: counts the [`guess`](Self::guess), then [`execute`](Self::execute).
    ///
    /// # Errors
    /// [`ReauthenticationError`].
    pub fn run(
        &self,
        input: &OwnAccountDeletion,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<OwnAccountDeleted, ReauthenticationError> {
        let admission = self.reauthentication.admit(&self.guess(input))?;
        self.execute(input, admission, still_wanted)
    }

    /// Returns the guess to count before the work.
    #[must_use]
    pub fn guess(&self, input: &OwnAccountDeletion) -> Guess {
        self.reauthentication.guess(&input.owner, input.device.as_deref(), &input.client)
    }

    /// Verifies the password and deletes the account. A wrong guess is spent; whatever else
    /// happens gives the try back.
    ///
    /// # Errors
    /// [`ReauthenticationError`].
    pub fn execute(
        &self,
        input: &OwnAccountDeletion,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<OwnAccountDeleted, ReauthenticationError> {
        let outcome = self.leave(input, &CancellationToken::cancelled_unless(still_wanted));
        if matches!(outcome, Err(ReauthenticationError::InvalidCredentials)) {
            admission.commit();
        }
        outcome
    }

    fn leave(
        &self,
        input: &OwnAccountDeletion,
        cancellation: &CancellationToken,
    ) -> Result<OwnAccountDeleted, ReauthenticationError> {
        let user_id = input.owner.user.id;
        let deletion = AccountDeletion { user_id, client: input.client.clone() };
        self.reauthentication.with_verified_password(&input.owner.user, &input.password, cancellation, |user| {
            let begun =
                self.deletion.begin_if(&deletion, |tx| tx.users().password_still_current(user.id, &user.password));
            let failed = |DeleteError::Failed(failure)| ReauthenticationError::Failed(failure);
            begun.map(|begun| begun.then_some(())).map_err(failed)
        })?;
        // It is gone by now, whatever becomes of its rows.
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
