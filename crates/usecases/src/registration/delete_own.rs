//! Deletes the account of the authenticated user.

use super::{AccountDeletion, DeleteAccount, DeleteError, Finished};
use crate::LOG;
use crate::limits::{Admission, Guess};
use crate::login::{Reauthentication, ReauthenticationError};
use crate::tokens::Authenticated;
use portcullis_domain::registration::Password;
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::CancellationToken;
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
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Device cookie, if the client sent one.
    pub device: Option<String>,
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

impl DeleteOwnAccount {
    /// Deletes the account: counts the [`guess`](Self::guess), then calls [`execute`](Self::execute).
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

    /// Checks the password and deletes the account. A wrong guess is charged; every other outcome
    /// refunds it.
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
