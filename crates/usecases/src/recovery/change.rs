//! Changes the password of the authenticated user.

use super::rekey;
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError};
use crate::login::{OwnerProof, Reauthentication, WrongPassword};
use crate::mail::Outbox;
use crate::mfa::MfaReason;
use crate::registration::PasswordScreening;
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::{NewPassword, PasswordHash};
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, StoreExt, Tx};
use std::sync::Arc;

/// Input of a password change.
#[derive(Debug)]
pub struct PasswordChange {
    /// Authenticated user whose password changes.
    pub owner: Authenticated,
    /// Current password, if the account has one.
    pub current: OwnerProof,
    /// New password.
    pub new: NewPassword,
}

/// The password has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChanged {
    /// Number of other sessions that ended.
    pub sessions_ended: u64,
    /// New device cookie. The old one is bound to the old password.
    pub cookie: String,
}

/// Reason why the password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordReason {
    /// The current password is wrong.
    #[error(transparent)]
    WrongPassword(#[from] WrongPassword),
    /// The account has no password, and the session may not set one now.
    #[error(transparent)]
    Session(#[from] MfaReason),
    /// The new password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
}

/// Error of a password change.
pub type ChangePasswordError = UseCaseError<ChangePasswordReason>;

impl Reason for ChangePasswordReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::WrongPassword(reason) => reason.code(),
            Self::Session(reason) => reason.code(),
            Self::CommonPassword => ErrorCode::Validation,
        }
    }
}

/// Changes the authenticated user's password.
pub struct ChangePassword {
    /// Asks for the password again.
    pub reauthentication: Arc<Reauthentication>,
    /// Check for common passwords.
    pub screening: Arc<PasswordScreening>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Counted for ChangePassword {
    type Input = PasswordChange;
    type Output = PasswordChanged;
    type Reason = ChangePasswordReason;

    fn attempts(&self, input: &PasswordChange, caller: &Caller) -> Vec<Attempt> {
        let guess = self.reauthentication.guess_of(&input.owner, &input.current, caller);
        guess.into_iter().map(Attempt::Guess).collect()
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.reauthentication.guesses.count(attempt)
    }

    /// Checks the current password and replaces it, or sets the first one. The same transaction ends every other session and
    /// revokes every link sent before.
    fn act(
        &self,
        input: &PasswordChange,
        caller: &Caller,
        _: &Admission,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        let PasswordChange { owner, current, new } = input;
        if self.screening.is_common(new, &owner.user.email) {
            return Err(ChangePasswordReason::CommonPassword.into());
        }
        let mut hash = None;
        let changed = self.reauthentication.with_proof(owner, current, caller, |read| {
            let new = match hash.take() {
                Some(new) => new,
                None => self.reauthentication.hasher.hash(new.password(), &caller.cancellation)?,
            };
            let new = hash.insert(new);
            self.reauthentication.store.write(|tx| self.replace((read, new), input, caller, tx))
        })?;
        self.outbox.notify_worker();
        let sessions = changed.sessions_ended;
        tracing::info!(target: LOG, user_id = owner.user.id.get(), sessions, "Password changed");
        Ok(changed)
    }
}

impl ChangePassword {
    /// Replaces the hash, if it is still the one that was checked.
    fn replace(
        &self,
        (read, new): (&Owner, &PasswordHash),
        input: &PasswordChange,
        caller: &Caller,
        tx: &mut dyn Tx,
    ) -> Result<Option<PasswordChanged>, ChangePasswordError> {
        let at = self.clock.now();
        tx.sessions().lock_account(read.user.id)?;
        self.reauthentication.confirm::<ChangePasswordReason>(&input.owner, &input.current, tx)?;
        let (keep, session_end) =
            (KeepSessions::from(input.owner.session_id), caller.session_end(EndReason::PasswordChanged, at));
        let Some(sessions_ended) = rekey(read, new, (&keep, &session_end), tx)? else { return Ok(None) };
        self.outbox.enqueue_notice(Occasion::PasswordChanged, &read.user, &caller.cause(at), tx)?;
        let cookie = self.reauthentication.devices.issue(caller.device.as_deref(), read, new);
        Ok(Some(PasswordChanged { sessions_ended, cookie }))
    }
}
