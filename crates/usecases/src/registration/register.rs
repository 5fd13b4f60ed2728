//! Registers an account.

use crate::LOG;
use crate::failure::{Failure, fails_with};
use crate::limits::{Admission, LimitError, Limited, Limits};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Source, Subject};
use portcullis_domain::registration::{EmailAddress, NewPassword, NewUser, Password, User};
use portcullis_ports::{Clock, HasherError, PasswordBlocklist, PasswordHasher, Patience, Store, StoreError, StoreExt};
use std::net::IpAddr;
use std::sync::Arc;

/// Who wants an account.
#[derive(Debug)]
pub struct Registration {
    /// Under which address.
    pub email: EmailAddress,
    /// With which password.
    pub password: NewPassword,
    /// From where.
    pub client: Option<IpAddr>,
}

/// The account that was made.
#[derive(Debug)]
pub struct Registered(pub User);

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address has an account, by this or another spelling.
    #[error("Email already registered")]
    EmailTaken,
    /// Too many people have the password, or anybody who knows the account would guess it.
    #[error("the password is too common")]
    CommonPassword,
    /// A budget is spent. Told before anything is looked up.
    #[error(transparent)]
    Limited(Limited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(Failure),
}

fails_with!(RegisterError: StoreError, HasherError);

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
    /// What refuses common passwords, if anything does.
    pub blocklist: Option<Arc<dyn PasswordBlocklist>>,
    /// What the service is called: a word that a guesser tries.
    pub product: String,
    /// How often it may be tried.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Register {
    /// Registers: [`admit`](Self::admit), then [`carry_out`](Self::carry_out).
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn run(
        &self,
        input: &Registration,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        let admission = self.admit(input)?;
        self.carry_out(input, admission, still_wanted)
    }

    /// Counts the call, before the work.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn admit(&self, input: &Registration) -> Result<Admission, RegisterError> {
        let source = input.client.map(|client| (Budget::Source, Subject::Source(Source::of(client))));
        Ok(self.limits.admit(source.as_slice())?)
    }

    /// Makes the account. Of any number of callers with one address, exactly one succeeds. Once
    /// nobody wants the answer any more, a hash that has not begun is not made. Only where a
    /// dependency failed is the call not counted.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn carry_out(
        &self,
        input: &Registration,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        let outcome = self.make(input, still_wanted);
        if !matches!(outcome, Err(RegisterError::Failed(_))) {
            admission.spend();
        }
        outcome
    }

    fn make(
        &self,
        input: &Registration,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Registered, RegisterError> {
        if is_common(self.blocklist.as_deref(), &self.product, &input.email, input.password.password()) {
            return Err(RegisterError::CommonPassword);
        }
        // A look first spares the hash where the answer is known; the insert decides.
        if !self.store.read(|tx| tx.users().find_by_email(&input.email))?.is_empty() {
            return Err(RegisterError::EmailTaken);
        }
        let password = self.hasher.hash(input.password.password(), &Patience::lasting_while(still_wanted))?;
        let new = NewUser { email: input.email.clone(), password, created_at: self.clock.now() };
        let user = self.store.write(|tx| tx.users().insert(&new))?.ok_or(RegisterError::EmailTaken)?;
        tracing::info!(target: LOG, user_id = user.id.get(), "User created");
        Ok(Registered(user))
    }
}

/// Whether a password is one that many people choose, or that anybody who knows the account would
/// try.
pub(super) fn is_common(
    blocklist: Option<&dyn PasswordBlocklist>,
    product: &str,
    email: &EmailAddress,
    password: &Password,
) -> bool {
    let email = email.canonical();
    let local = email.split('@').next().unwrap_or_default();
    blocklist.is_some_and(|list| list.contains(password, &["portcullis", product, email, local]))
}
