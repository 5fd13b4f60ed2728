//! Registration of accounts.

use super::PasswordScreening;
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError, Limits};
use crate::mail::Outbox;
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Credentials;
use portcullis_domain::mail::{NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, NewPassword, NewUser, User};
use portcullis_ports::{Clock, PasswordHasher, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of a registration.
#[derive(Debug)]
pub struct Registration {
    /// Email address of the new account.
    pub email: EmailAddress,
    /// Password, already checked for length.
    pub password: NewPassword,
}

/// The new account.
#[derive(Debug)]
pub struct Registered(pub User);

/// Reason why no account was created.
#[derive(Debug, thiserror::Error)]
pub enum RegisterReason {
    /// An account has the email, compared case-insensitively, or can still reclaim it with an undo
    /// token.
    #[error("Email already registered")]
    EmailTaken,
    /// The password is common, or easy to guess from the account.
    #[error("the password is too common")]
    CommonPassword,
}

/// Error of a registration.
pub type RegisterError = UseCaseError<RegisterReason>;

impl Reason for RegisterReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::EmailTaken => ErrorCode::Conflict,
            Self::CommonPassword => ErrorCode::Validation,
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

impl Counted for Register {
    type Input = Registration;
    type Output = Registered;
    type Reason = RegisterReason;

    fn attempts(&self, _: &Registration, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::Call(caller.source())]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.limits.count(attempt)
    }

    /// Exactly one concurrent caller with the same email succeeds.
    fn act(&self, input: &Registration, caller: &Caller, _: &Admission) -> Result<Registered, RegisterError> {
        if self.screening.is_common(&input.password, &input.email) {
            return Err(RegisterReason::CommonPassword.into());
        }
        // Avoids a slow hash if the email is already taken. The insert below makes the final decision.
        let now = self.clock.now();
        let taken = self.store.read(|tx| {
            let known = !tx.users().find_by_email(&input.email)?.is_empty();
            Ok::<_, StoreError>(known || tx.one_time_tokens().find_reclaimer(&input.email, now)?.is_some())
        })?;
        if taken {
            return Err(RegisterReason::EmailTaken.into());
        }
        let hash = self.hasher.hash(input.password.password(), &caller.cancellation)?;
        let (email, credentials) = (input.email.clone(), Credentials::from_hash(hash));
        let new = NewUser { email, credentials, created_at: self.clock.now(), verified_at: None };
        let user = self.store.write(|tx| self.add(&new, caller, tx))?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user.id.get(), "User created");
        Ok(Registered(user))
    }
}

impl Register {
    fn add(&self, new: &NewUser, caller: &Caller, tx: &mut dyn Tx) -> Result<User, RegisterError> {
        let user = tx.users().insert(new)?.ok_or(RegisterReason::EmailTaken)?;
        // Runs after the insert, which waits for a concurrent transaction that changes an account's
        // email away from this one. That account may still reclaim it.
        if tx.one_time_tokens().find_reclaimer(&user.email, new.created_at)?.is_some() {
            return Err(RegisterReason::EmailTaken.into());
        }
        let password = Some(self.outbox.tokens.version(new.credentials.hash()));
        let cause = caller.cause(new.created_at);
        let order = self.outbox.new_mail(Occasion::VerifyEmail, Some(user.id), &user.email, &cause);
        tx.outbox().enqueue(&NewMail { password, ..order })?;
        Ok(user)
    }
}
