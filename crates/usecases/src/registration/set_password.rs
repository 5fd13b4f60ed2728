//! Sets an account's password for an operator, without the old one.

use super::PasswordScreening;
use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{NewPassword, UserId};
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordHasher, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Account and its new password.
#[derive(Debug)]
pub struct PasswordOverride {
    /// Account to change.
    pub user_id: UserId,
    /// New password.
    pub password: NewPassword,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
}

/// The password is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSet {
    /// Number of ended sessions.
    pub sessions: u64,
}

/// Reason why the password was not set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// No account has that id.
    #[error("no such account")]
    NotFound,
    /// The password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(SetPasswordError: StoreError, HasherError);

impl SetPasswordError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::CommonPassword => ErrorCode::Validation,
            Self::Failed(failure) => failure.code(),
        }
    }
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
    pub fn run(&self, input: &PasswordOverride) -> Result<PasswordSet, SetPasswordError> {
        let user_id = input.user_id;
        let user = self.store.read(|tx| tx.users().find(user_id))?.ok_or(SetPasswordError::NotFound)?;
        if self.screening.is_common(&input.password, &user.email) {
            return Err(SetPasswordError::CommonPassword);
        }
        let hash = self.hasher.hash(input.password.password(), &CancellationToken::never())?;
        let session_end =
            SessionEnd { at: self.clock.now(), reason: EndReason::PasswordChanged, client: input.client.clone() };
        let sessions = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            // Read again under the lock: a login may have replaced the hash.
            let user = tx.users().find(user_id)?.ok_or(SetPasswordError::NotFound)?;
            if !tx.users().replace_password(user_id, &user.password, &hash)? {
                return Err(SetPasswordError::NotFound);
            }
            tx.one_time_tokens().revoke_all(user_id)?;
            Ok(tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions, "Password set by an operator");
        Ok(PasswordSet { sessions })
    }
}
