//! Changes the password of the authenticated user.

use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, Guess, LimitError, RateLimited};
use crate::login::{Reauthentication, WrongPassword};
use crate::mail::{MailCause, Outbox};
use crate::registration::PasswordScreening;
use crate::tokens::Authenticated;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::{Language, Occasion};
use portcullis_domain::registration::{NewPassword, Password, PasswordHash, User};
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_ports::{CancellationToken, Clock, HasherError, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of a password change.
#[derive(Debug)]
pub struct PasswordChange {
    /// Authenticated user whose password changes.
    pub owner: Authenticated,
    /// Current password.
    pub current: Password,
    /// New password.
    pub new: NewPassword,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Device cookie, if the client sent one.
    pub device: Option<String>,
    /// Language of the notice to the owner.
    pub language: Language,
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
pub enum ChangePasswordError {
    /// The current password is wrong.
    #[error("Invalid email or password")]
    InvalidCredentials,
    /// The new password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
    /// A budget is spent.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(ChangePasswordError: StoreError, HasherError);

impl From<WrongPassword> for ChangePasswordError {
    fn from(WrongPassword: WrongPassword) -> Self {
        Self::InvalidCredentials
    }
}

impl From<LimitError> for ChangePasswordError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl ChangePasswordError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::CommonPassword => ErrorCode::Validation,
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
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

impl ChangePassword {
    /// Changes the password: counts the [`guess`](Self::guess), then calls [`execute`](Self::execute).
    pub fn run(
        &self,
        input: &PasswordChange,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        let admission = self.reauthentication.admit(&self.guess(input))?;
        self.execute(input, admission, still_wanted)
    }

    /// Returns the guess to count before the work.
    #[must_use]
    pub fn guess(&self, input: &PasswordChange) -> Guess {
        self.reauthentication.guess(&input.owner, input.device.as_deref(), &input.client)
    }

    /// Checks the current password and replaces it. The same transaction ends every other session and
    /// revokes every link sent before. A wrong guess is charged; every other outcome refunds it.
    pub fn execute(
        &self,
        input: &PasswordChange,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        let outcome = self.change(input, &CancellationToken::cancelled_unless(still_wanted));
        if matches!(outcome, Err(ChangePasswordError::InvalidCredentials)) {
            admission.commit();
        }
        outcome
    }

    fn change(
        &self,
        input: &PasswordChange,
        cancellation: &CancellationToken,
    ) -> Result<PasswordChanged, ChangePasswordError> {
        let owner = &input.owner.user;
        if self.screening.is_common(&input.new, &owner.email) {
            return Err(ChangePasswordError::CommonPassword);
        }
        let mut hash = None;
        let changed = self.reauthentication.with_verified_password(owner, &input.current, cancellation, |user| {
            let new = match hash.take() {
                Some(new) => new,
                None => self.reauthentication.hasher.hash(input.new.password(), cancellation)?,
            };
            let new = hash.insert(new);
            Ok::<_, ChangePasswordError>(self.reauthentication.store.write(|tx| self.replace(input, user, new, tx))?)
        })?;
        self.outbox.notify_worker();
        let sessions = changed.sessions_ended;
        tracing::info!(target: LOG, user_id = owner.id.get(), sessions, "Password changed");
        Ok(changed)
    }

    /// Replaces the hash, if it is still the one that was checked. Locks the account, so that a
    /// concurrent login with the old password is either ended or finds another hash.
    fn replace(
        &self,
        input: &PasswordChange,
        user: &User,
        new: &PasswordHash,
        tx: &mut dyn Tx,
    ) -> Result<Option<PasswordChanged>, StoreError> {
        let at = self.clock.now();
        tx.sessions().lock_account(user.id)?;
        if !tx.users().replace_password(user.id, &user.password, new)? {
            return Ok(None);
        }
        let session_end = SessionEnd { at, reason: EndReason::PasswordChanged, client: input.client.clone() };
        let sessions_ended =
            tx.sessions().end_all(user.id, &KeepSessions::from(input.owner.session_id), &session_end)?;
        tx.one_time_tokens().revoke_all(user.id)?;
        let cause = MailCause { language: input.language, client: &input.client, at };
        if let Some(notice) = self.outbox.new_notice(Occasion::PasswordChanged, user, &cause) {
            tx.outbox().enqueue(&notice)?;
        }
        let cookie = self.reauthentication.devices.issue(input.device.as_deref(), user, new);
        Ok(Some(PasswordChanged { sessions_ended, cookie }))
    }
}
