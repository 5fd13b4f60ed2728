//! Sets an account's password for an operator, without the old one.

use super::{AccountError, AccountReason, PasswordScreening};
use crate::LOG;
use crate::caller::Caller;
use crate::recovery::rekey;
use portcullis_domain::registration::{NewPassword, UserId};
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, PasswordHasher, Store, StoreExt};
use std::sync::Arc;

/// Account and its new password.
#[derive(Debug)]
pub struct PasswordOverride {
    /// Account to change.
    pub user_id: UserId,
    /// New password.
    pub password: NewPassword,
}

/// The password is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSet {
    /// Number of ended sessions.
    pub sessions: u64,
}

/// Sets the password of an account, for an operator.
pub struct SetPassword {
    /// Store of accounts and sessions.
    pub store: Arc<dyn Store>,
    /// Password hasher.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Check for common passwords.
    pub screening: Arc<PasswordScreening>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl SetPassword {
    /// Replaces the hash and ends every session, in one transaction, so that the old password gives no
    /// access. A concurrent login with it is ended too, or refused.
    pub fn run(&self, input: &PasswordOverride, caller: &Caller) -> Result<PasswordSet, AccountError> {
        let user_id = input.user_id;
        let user = self.store.read(|tx| tx.users().find(user_id))?.ok_or(AccountReason::NotFound)?;
        if self.screening.is_common(&input.password, &user.email) {
            return Err(AccountReason::CommonPassword.into());
        }
        let hash = self.hasher.hash(input.password.password(), &caller.cancellation)?;
        let session_end = caller.session_end(EndReason::PasswordChanged, self.clock.now());
        let sessions = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            // Read again under the lock: a login may have replaced the hash.
            let owner = tx.credentials().owner(user_id)?.ok_or(AccountReason::NotFound)?;
            let ended = rekey(&owner, &hash, (&KeepSessions::default(), &session_end), tx)?;
            Ok::<_, AccountError>(ended.ok_or(AccountReason::NotFound)?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions, "Password set by an operator");
        Ok(PasswordSet { sessions })
    }
}
