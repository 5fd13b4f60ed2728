//! Gives an account another password, at an operator's word. Nobody is asked for the old one.

use super::PasswordScreening;
use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{NewPassword, UserId};
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordHasher, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Which password an account is to have.
#[derive(Debug)]
pub struct PasswordOverride {
    /// The account.
    pub user_id: UserId,
    /// The password.
    pub password: NewPassword,
    /// From where.
    pub client: ClientInfo,
}

/// The account has the password, and how many of its sessions were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSet {
    /// How many.
    pub sessions: u64,
}

/// Why the account has the password that it had.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// There is no such account.
    #[error("no such account")]
    NotFound,
    /// Too many people have the password, or anybody who knows the account would guess it.
    #[error("the password is too common")]
    CommonPassword,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(SetPasswordError: StoreError, HasherError);

impl SetPasswordError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::CommonPassword => ErrorCode::Validation,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The verb.
pub struct SetPassword {
    /// Where accounts and sessions are kept.
    pub store: Arc<dyn Store>,
    /// What hashes the password.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What new passwords are held against.
    pub screening: Arc<PasswordScreening>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl SetPassword {
    /// Replaces the hash and ends every session, in one transaction: whoever knew the old password
    /// is out. A login with it that is under way is among what ends, or is refused.
    ///
    /// # Errors
    /// [`SetPasswordError`].
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
            // Held, it changes no more: a login may have replaced the hash meanwhile.
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
