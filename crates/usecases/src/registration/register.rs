//! Registration of accounts.

use super::PasswordScreening;
use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, LimitError, Limits, RateLimited};
use crate::mail::{MailCause, Outbox};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, LimitSubject, Source};
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, NewPassword, NewUser, User};
use portcullis_domain::sessions::ClientInfo;
use portcullis_ports::{CancellationToken, Clock, HasherError, PasswordHasher, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of a registration.
#[derive(Debug)]
pub struct Registration {
    /// Email address of the new account.
    pub email: EmailAddress,
    /// Password, already checked for length.
    pub password: NewPassword,
    /// IP address and User-Agent of the client.
    pub client: ClientInfo,
    /// Language of emails to the owner.
    pub language: Language,
}

/// The new account.
#[derive(Debug)]
pub struct Registered(pub User);

/// Reason why no account was created.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// An account has the email, compared case-insensitively, or can still reclaim it with an undo
    /// token.
    #[error("Email already registered")]
    EmailTaken,
    /// The password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
    /// A budget is spent. Checked before the account is looked up.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(RegisterError: StoreError, HasherError);

impl RegisterError {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::EmailTaken => ErrorCode::Conflict,
            Self::CommonPassword => ErrorCode::Validation,
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl From<LimitError> for RegisterError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// Registers an account.
pub struct Register {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
    /// Password hasher.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Check for common passwords.
    pub screening: Arc<PasswordScreening>,
    /// Outbox for the verification email.
    pub outbox: Arc<Outbox>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Register {
    /// Registers the account: calls [`admit`](Self::admit), then [`execute`](Self::execute).
    pub fn run(
        &self,
        input: &Registration,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        let admission = self.admit(input)?;
        self.execute(input, admission, still_wanted)
    }

    /// Counts the call before the work.
    pub fn admit(&self, input: &Registration) -> Result<Admission, RegisterError> {
        let source =
            input.client.ip_address.map(|client| (Budget::Source, LimitSubject::Source(Source::from_ip(client))));
        Ok(self.limits.admit(source.as_slice())?)
    }

    /// Creates the account. Exactly one concurrent caller with the same email succeeds. Once
    /// `still_wanted` returns false, a hash that has not started is skipped. The call is refunded only
    /// if a dependency failed.
    pub fn execute(
        &self,
        input: &Registration,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        let outcome = self.create(input, still_wanted);
        if !matches!(outcome, Err(RegisterError::Failed(_))) {
            admission.commit();
        }
        outcome
    }

    fn create(
        &self,
        input: &Registration,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        if self.screening.is_common(&input.password, &input.email) {
            return Err(RegisterError::CommonPassword);
        }
        // Avoids a slow hash if the email is already taken. The insert below makes the final decision.
        let now = self.clock.now();
        let taken = self.store.read(|tx| {
            let known = !tx.users().find_by_email(&input.email)?.is_empty();
            Ok::<_, StoreError>(known || tx.one_time_tokens().find_reclaimer(&input.email, now)?.is_some())
        })?;
        if taken {
            return Err(RegisterError::EmailTaken);
        }
        let password =
            self.hasher.hash(input.password.password(), &CancellationToken::cancelled_unless(still_wanted))?;
        let new = NewUser { email: input.email.clone(), password, created_at: self.clock.now() };
        let user = self.store.write(|tx| self.add(&new, input, tx))?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user.id.get(), "User created");
        Ok(Registered(user))
    }

    fn add(&self, new: &NewUser, input: &Registration, tx: &mut dyn Tx) -> Result<User, RegisterError> {
        let user = tx.users().insert(new)?.ok_or(RegisterError::EmailTaken)?;
        // Runs after the insert, which waits for a concurrent transaction that changes an account's
        // email away from this one. That account may still reclaim it.
        if tx.one_time_tokens().find_reclaimer(&user.email, new.created_at)?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        let cause = MailCause { language: input.language, client: &input.client, at: new.created_at };
        let password = Some(self.outbox.tokens.version(&user.password));
        let order = self.outbox.new_mail(Occasion::VerifyEmail, Some(user.id), &user.email, &cause);
        tx.outbox().enqueue(&NewMail { password, ..order })?;
        Ok(user)
    }
}
