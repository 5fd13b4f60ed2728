//! Registers an account.

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

/// Who wants an account.
#[derive(Debug)]
pub struct Registration {
    /// Under which address.
    pub email: EmailAddress,
    /// With which password.
    pub password: NewPassword,
    /// From where.
    pub client: ClientInfo,
    /// In which language its owner is written to.
    pub language: Language,
}

/// The account that was made.
#[derive(Debug)]
pub struct Registered(pub User);

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address has an account, by this or another spelling, or its account may take it back.
    #[error("Email already registered")]
    EmailTaken,
    /// Too many people have the password, or anybody who knows the account would guess it.
    #[error("the password is too common")]
    CommonPassword,
    /// A budget is spent. Told before anything is looked up.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(RegisterError: StoreError, HasherError);

impl RegisterError {
    /// The stable code of the error.
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

/// The verb.
pub struct Register {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
    /// What hashes the password.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What passwords are held against.
    pub screening: Arc<PasswordScreening>,
    /// Who asks the owner to verify the address.
    pub outbox: Arc<Outbox>,
    /// How often it may be tried.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Register {
    /// Registers: [`validate`](Self::validate), then [`execute`](Self::execute).
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn run(
        &self,
        input: &Registration,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        let admission = self.admit(input)?;
        self.execute(input, admission, still_wanted)
    }

    /// Counts the call, before the work.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn admit(&self, input: &Registration) -> Result<Admission, RegisterError> {
        let source =
            input.client.ip_address.map(|client| (Budget::Source, LimitSubject::Source(Source::from_ip(client))));
        Ok(self.limits.admit(source.as_slice())?)
    }

    /// Makes the account. Of any number of callers with one address, exactly one succeeds. Once
    /// nobody wants the answer any more, a hash that has not begun is not made. Only where a
    /// dependency failed is the call not counted.
    ///
    /// # Errors
    /// [`RegisterError`].
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
        // A look first spares the hash where the answer is known; the insert decides.
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
        // After the insert, which waits for whoever is giving the address up: who did so a moment
        // ago may take it back.
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
