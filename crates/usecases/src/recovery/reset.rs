//! Sets a new password, for whoever shows a token that was mailed to the account's address.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::Guesses;
use crate::mail::{MailCause, Outbox};
use crate::registration::PasswordScreening;
use crate::verification::{OneTimeTokens, RedeemError, from_redeem_error};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::{Language, Occasion};
use portcullis_domain::registration::{NewPassword, PasswordHash, User};
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordHasher, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// The token, and the password that it is to set.
#[derive(Debug)]
pub struct PasswordReset {
    /// The token.
    pub token: OneTimeToken,
    /// The password to come.
    pub new: NewPassword,
    /// From where.
    pub client: ClientInfo,
    /// The cookie of the device, if it sent one.
    pub device: Option<String>,
    /// In which language its owner is written to.
    pub language: Language,
}

/// The password is the new one, and nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordWasReset {
    /// How many sessions were ended.
    pub sessions_ended: u64,
    /// The cookie for the device, which is known to the account from now on: whoever reads the
    /// account's mail signs in from there, however many guess at the password elsewhere.
    pub cookie: String,
}

/// Why the password is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The token is unknown, used, replaced, revoked, or for something else.
    #[error("Invalid token")]
    Invalid,
    /// The token is past its time.
    #[error("Token has expired")]
    Expired,
    /// Too many people have the password, or anybody who knows the account would guess it. The
    /// token is not used up.
    #[error("the password is too common")]
    CommonPassword,
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(ResetPasswordError: StoreError, HasherError);
from_redeem_error!(ResetPasswordError);

impl ResetPasswordError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid => ErrorCode::TokenInvalid,
            Self::Expired => ErrorCode::TokenExpired,
            Self::CommonPassword => ErrorCode::Validation,
            Self::Failed(failure) => failure.code(),
        }
    }
}

/// The verb.
pub struct ResetPassword {
    /// Where accounts and tokens are kept.
    pub store: Arc<dyn Store>,
    /// What hashes the password.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What new passwords are held against.
    pub screening: Arc<PasswordScreening>,
    /// What counts guesses, and forgets them.
    pub guesses: Arc<Guesses>,
    /// What knows tokens.
    pub tokens: Arc<OneTimeTokens>,
    /// Who tells the owner.
    pub outbox: Arc<Outbox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl ResetPassword {
    /// Sets the password: [`check`](Self::check), then [`execute`](Self::execute).
    ///
    /// # Errors
    /// [`ResetPasswordError`].
    pub fn run(
        &self,
        input: &PasswordReset,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<PasswordWasReset, ResetPasswordError> {
        self.precheck(input)?;
        self.execute(input, still_wanted)
    }

    /// Checks the token: who guesses at tokens gets no hash for it. Uses nothing up.
    ///
    /// # Errors
    /// [`ResetPasswordError`].
    pub fn precheck(&self, input: &PasswordReset) -> Result<(), ResetPasswordError> {
        self.owner(input).map(drop)
    }

    fn owner(&self, input: &PasswordReset) -> Result<User, ResetPasswordError> {
        let now = self.clock.now();
        let (_, user) = self
            .store
            .read(|tx| RedeemError::require_purpose(self.tokens.find_valid(&input.token, now, tx)?, is_reset))?;
        Ok(user)
    }

    /// Checks that the password is not a common one, which takes a part of a hash's time, and hashes
    /// it. Then uses the token up and sets it. Every session ends, every other
    /// link is dead, and the address is verified: the token was mailed there. Of any number of
    /// callers with one token exactly one succeeds.
    ///
    /// # Errors
    /// [`ResetPasswordError`].
    pub fn execute(
        &self,
        input: &PasswordReset,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<PasswordWasReset, ResetPasswordError> {
        if self.screening.is_common(&input.new, &self.owner(input)?.email) {
            return Err(ResetPasswordError::CommonPassword);
        }
        let new = self.hasher.hash(input.new.password(), &CancellationToken::cancelled_unless(still_wanted))?;
        let (user, recovered) = self.store.write(|tx| self.set(input, &new, tx))?;
        self.outbox.notify_worker();
        self.guesses.clear(&user.email, &input.client);
        let sessions = recovered.sessions_ended;
        tracing::info!(target: LOG, user_id = user.id.get(), sessions, "Password reset");
        Ok(recovered)
    }

    fn set(
        &self,
        input: &PasswordReset,
        new: &PasswordHash,
        tx: &mut dyn Tx,
    ) -> Result<(User, PasswordWasReset), ResetPasswordError> {
        let at = self.clock.now();
        let (_, user) = RedeemError::require_purpose(self.tokens.redeem(&input.token, at, tx)?, is_reset)?;
        if !tx.users().replace_password(user.id, &user.password, new)? {
            return Err(ResetPasswordError::Invalid);
        }
        tx.users().verify_email(user.id, &user.email, at)?;
        let session_end = SessionEnd { at, reason: EndReason::PasswordChanged, client: input.client.clone() };
        let sessions_ended = tx.sessions().end_all(user.id, &KeepSessions::default(), &session_end)?;
        tx.one_time_tokens().revoke_all(user.id)?;
        let cause = MailCause { language: input.language, client: &input.client, at };
        if let Some(notice) = self.outbox.new_notice(Occasion::PasswordChanged, &user, &cause) {
            tx.outbox().enqueue(&notice)?;
        }
        let cookie = self.guesses.devices.issue(input.device.as_deref(), &user, new);
        Ok((user, PasswordWasReset { sessions_ended, cookie }))
    }
}

fn is_reset(purpose: Purpose) -> bool {
    purpose == Purpose::ResetPassword
}
