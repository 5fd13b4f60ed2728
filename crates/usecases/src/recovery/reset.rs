//! Sets a new password with a token sent to the account's email.

use super::{rekey, remove_all_methods, remove_sign_in_methods};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::{Reason, UseCaseError};
use crate::limits::Guesses;
use crate::mail::Outbox;
use crate::registration::PasswordScreening;
use crate::verification::{OneTimeTokens, RedeemError, RedeemReason};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::{NewPassword, PasswordHash, User};
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{Clock, PasswordHasher, Store, StoreExt, Tx};
use std::sync::Arc;

/// Input of a password reset, with a token from an email.
#[derive(Debug)]
pub struct PasswordReset {
    /// The token.
    pub token: OneTimeToken,
    /// New password.
    pub new: NewPassword,
    /// `true` to remove the account's identities and passkeys too. Second factors stay.
    pub remove_others: bool,
}

/// The password is reset and all sessions have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordWasReset {
    /// Number of ended sessions.
    pub sessions_ended: u64,
    /// Device cookie. The device is known from now on, so that an attacker's guesses on other devices
    /// cannot keep the owner of the mailbox from logging in.
    pub cookie: String,
}

/// Reason why the password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordReason {
    /// The token is refused.
    #[error(transparent)]
    Token(#[from] RedeemReason),
    /// The password is common, or easy to guess from the account. The token is not used.
    #[error("the password is too common")]
    CommonPassword,
}

/// Error of a password reset.
pub type ResetPasswordError = UseCaseError<ResetPasswordReason>;

impl Reason for ResetPasswordReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Token(reason) => reason.code(),
            Self::CommonPassword => ErrorCode::Validation,
        }
    }
}

/// Resets a password with a token from an email.
pub struct ResetPassword {
    /// Store of accounts and tokens.
    pub store: Arc<dyn Store>,
    /// Password hasher.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Check for common passwords.
    pub screening: Arc<PasswordScreening>,
    /// Limit on guesses at passwords, reset for the account.
    pub guesses: Arc<Guesses>,
    /// One-time tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl ResetPassword {
    /// Resets the password: calls [`precheck`](Self::precheck), then [`execute`](Self::execute).
    pub fn run(&self, input: &PasswordReset, caller: &Caller) -> Result<PasswordWasReset, ResetPasswordError> {
        self.precheck(input)?;
        self.execute(input, caller)
    }

    /// Checks the token without using it, so that an attacker who guesses tokens causes no hash.
    pub fn precheck(&self, input: &PasswordReset) -> Result<(), ResetPasswordError> {
        self.owner(input).map(drop)
    }

    fn owner(&self, input: &PasswordReset) -> Result<User, ResetPasswordError> {
        let now = self.clock.now();
        let (_, owner) = self
            .store
            .read(|tx| RedeemError::require_purpose(self.tokens.find_valid(&input.token, now, tx)?, is_reset))?;
        Ok(owner.user)
    }

    /// Refuses a common password, which takes part of a hash's time, and hashes the new one. Then
    /// redeems the token and sets the password. Ends every session, revokes every other link and marks
    /// the email as verified, since the token was sent there. Exactly one concurrent caller with one
    /// token succeeds.
    pub fn execute(&self, input: &PasswordReset, caller: &Caller) -> Result<PasswordWasReset, ResetPasswordError> {
        if self.screening.is_common(&input.new, &self.owner(input)?.email) {
            return Err(ResetPasswordReason::CommonPassword.into());
        }
        let new = self.hasher.hash(input.new.password(), &caller.cancellation)?;
        let (user, recovered) = self.store.write(|tx| self.set(input, &new, caller, tx))?;
        self.outbox.notify_worker();
        self.guesses.clear(&user.email, caller);
        let sessions = recovered.sessions_ended;
        tracing::info!(target: LOG, user_id = user.id.get(), sessions, "Password reset");
        Ok(recovered)
    }

    fn set(
        &self,
        input: &PasswordReset,
        new: &PasswordHash,
        caller: &Caller,
        tx: &mut dyn Tx,
    ) -> Result<(User, PasswordWasReset), ResetPasswordError> {
        let at = self.clock.now();
        let (_, owner) = RedeemError::require_purpose(self.tokens.redeem(&input.token, at, tx)?, is_reset)?;
        let cause = caller.cause(at);
        let notices = (&*self.outbox, &cause);
        // Someone else may have set up whatever an account has whose email was never verified.
        let owner = if owner.user.email_verified_at.is_none() {
            remove_all_methods(owner, notices, tx)?
        } else {
            if input.remove_others {
                remove_sign_in_methods(&owner.user, notices, tx)?;
            }
            owner
        };
        let session_end = caller.session_end(EndReason::PasswordChanged, at);
        let sessions_ended = rekey(&owner, new, (&KeepSessions::default(), &session_end), tx)?
            .ok_or(ResetPasswordReason::Token(RedeemReason::Invalid))?;
        let user = &owner.user;
        tx.users().verify_email(user.id, &user.email, at)?;
        self.outbox.enqueue_notice(Occasion::PasswordChanged, user, &cause, tx)?;
        let cookie = self.guesses.devices.issue(caller.device.as_deref(), &owner, new);
        Ok((owner.user, PasswordWasReset { sessions_ended, cookie }))
    }
}

fn is_reset(purpose: Purpose) -> bool {
    purpose == Purpose::ResetPassword
}
