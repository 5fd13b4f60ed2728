//! Login with email and password.

use super::gate::Gate;
use super::proof::{Attempted, hash_contention, while_it_changes};
use super::reauthentication::verify;
use crate::LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::limits::{Admission, Attempt, DeviceCookies, Guess, Guesses, LimitError};
use crate::mail::Outbox;
use crate::mfa::{Challenge, FactorCode, Proof, SecondFactor, password_and};
use crate::sessions::Entry;
use crate::tokens::TokenPair;
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{DeviceCookie, DeviceId};
use portcullis_domain::login::{self, Credentials, LoginRejection, Method, Methods, Owner};
use portcullis_domain::mfa::RecoveryCode;
use portcullis_domain::registration::{EmailAddress, Password, UserId};
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{
    CancellationToken, HasherError, PasswordCheck, PasswordHasher, Store, StoreError, StoreExt, Tx,
};
use std::fmt;
use std::sync::Arc;

/// Input of a login.
#[derive(Debug)]
pub struct PasswordLogin {
    /// Email address of the account.
    pub email: EmailAddress,
    /// Password. No policy applies to it.
    pub password: Password,
    /// Code of the second factor. Ignored if the account has none.
    pub code: Option<FactorCode>,
    /// `true` to trust the device. Needs a code.
    pub remember_device: bool,
}

/// A new session. Redacted in `Debug`.
pub struct LoggedIn {
    /// Account of the session.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// Tokens of the session.
    pub pair: TokenPair,
    /// Device cookie, which makes the device known.
    pub cookie: String,
    /// New recovery codes, if the last one was used.
    pub recovery_codes: Option<Vec<RecoveryCode>>,
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggedIn(…)")
    }
}

/// Reason why the login failed.
#[derive(Debug, thiserror::Error)]
pub enum LogInReason {
    /// Unknown email, wrong password, inactive account or wrong code. Only the log says which.
    #[error("Invalid email or password")]
    InvalidCredentials,
    /// The password was correct, but the email must be verified before a login.
    #[error("Email address is not verified")]
    EmailUnverified,
    /// The password was correct, and the second factor is due.
    #[error("Second factor required")]
    SecondFactorRequired(Box<Challenge>),
    /// The password was correct, but the account must set up a second factor before a login.
    #[error("A second factor must be set up")]
    EnrolmentRequired(Box<Challenge>),
}

/// Error of a login.
pub type LogInError = UseCaseError<LogInReason>;

impl Reason for LogInReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::EmailUnverified => ErrorCode::EmailUnverified,
            Self::SecondFactorRequired(_) => ErrorCode::MfaRequired,
            Self::EnrolmentRequired(_) => ErrorCode::MfaEnrolmentRequired,
        }
    }
}

/// Logs a user in with email and password.
pub struct LogIn {
    /// Store of accounts and tokens.
    pub store: Arc<dyn Store>,
    /// Password hasher.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Limit on guesses at passwords.
    pub guesses: Arc<Guesses>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Outbox, whose emails are bound to the password.
    pub outbox: Arc<Outbox>,
    /// Checks second factors.
    pub second_factor: Arc<SecondFactor>,
    /// Begins the session.
    pub gate: Arc<Gate>,
}

impl Counted for LogIn {
    type Input = PasswordLogin;
    /// `None` if the guess was counted for a device whose password is no longer the account's. Nothing
    /// was hashed then, and the caller must be counted [as an unknown device](Caller::as_unknown_device).
    type Output = Option<LoggedIn>;
    type Reason = LogInReason;

    fn attempts(&self, input: &PasswordLogin, caller: &Caller) -> Vec<Attempt> {
        let device = self.device(input, caller).map(|cookie| cookie.device);
        vec![Attempt::Guess(Guess::new(&input.email, device, caller))]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.guesses.count(attempt)
    }

    /// Takes the time of one hash, whether the account exists or not.
    fn act(
        &self,
        input: &PasswordLogin,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<Option<LoggedIn>, LogInError> {
        let device = self.device(input, caller);
        let candidates = self.store.read(|tx| tx.credentials().owners(&input.email))?;
        let first = login::select_account(candidates, &input.email);
        while_it_changes(&*self.store, first, |owner| {
            let hash = owner.as_ref().map(|owner| owner.credentials.hash());
            let current = |cookie| hash.is_some_and(|hash| self.devices.is_current(cookie, hash));
            if !device.as_ref().is_none_or(current) {
                return Ok(Attempted::Done(None));
            }
            let verification = self.verify(owner.as_ref(), input, &caller.cancellation)?;
            let matched = matches!(verification, PasswordCheck::Match { .. });
            let owner = login::proved(owner, matched).map_err(|refusal| refused(refusal, caller))?;
            let known = device.map(|cookie| cookie.device);
            let refuses = self.gate.refuses(&owner, Methods::from(Method::Password));
            let proof = if refuses { None } else { self.second_factor(&owner, input, known, caller)? };
            let is_outdated = verification == (PasswordCheck::Match { needs_rehash: true });
            let id = owner.user.id;
            let updated =
                if refuses { Some(owner) } else { self.update(owner, input, is_outdated, &caller.cancellation) };
            let Some(owner) = &updated else { return Ok(Attempted::Outdated(id)) };
            let entry = Entry {
                owner,
                email: &input.email,
                methods: password_and(proof.as_ref()),
                session_id: self.gate.beginning.issuance.new_session_id(),
                device: self.second_factor.device(known, proof.as_ref(), input.remember_device),
                is_known: known.is_some(),
                page: None,
                needs_lock: proof.as_ref().is_some_and(Proof::needs_lock),
                caller,
                admission,
            };
            let logged_in =
                self.second_factor.begin_session(&self.gate, &entry, proof.as_ref(), input.remember_device)?;
            Ok(logged_in.map_or(Attempted::Outdated(owner.user.id), |done| Attempted::Done(Some(done))))
        })
    }
}

impl LogIn {
    /// Logs in. If the cookie turns out to be bound to an old password, tries once more as an unknown
    /// device.
    pub fn run(&self, input: &PasswordLogin, caller: &Caller) -> Result<LoggedIn, LogInError> {
        if let Some(logged_in) = Counted::run(self, input, caller)? {
            return Ok(logged_in);
        }
        Counted::run(self, input, &caller.as_unknown_device())?.ok_or_else(|| hash_contention().into())
    }

    /// Returns the device of the caller's cookie, or `None` unless it was issued for that account. The
    /// cookie may still be bound to an old password.
    fn device(&self, input: &PasswordLogin, caller: &Caller) -> Option<DeviceCookie> {
        caller.device.as_deref().and_then(|cookie| self.devices.read(cookie, &input.email))
    }

    fn verify(
        &self,
        owner: Option<&Owner>,
        input: &PasswordLogin,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        let Some(owner) = owner else {
            let account = input.email.canonical();
            let stand_in = self.hasher.dummy_verify(&input.password, account, cancellation);
            return stand_in.map(|()| PasswordCheck::Mismatch);
        };
        verify(&*self.hasher, &input.password, owner, cancellation)
    }

    /// Checks the code of the second factor, if the account has one and a code was entered.
    fn second_factor(
        &self,
        owner: &Owner,
        input: &PasswordLogin,
        known: Option<DeviceId>,
        caller: &Caller,
    ) -> Result<Option<Proof>, LogInError> {
        let Some(code) = input.code.as_ref().filter(|_| owner.credentials.has_second_factor()) else {
            return Ok(None);
        };
        let proof = self.second_factor.check(owner, code, known, caller)?;
        Ok(Some(proof.ok_or(LogInReason::InvalidCredentials)?))
    }

    /// Replaces an outdated hash, and marks that of an account with a second factor if another program
    /// removed the mark. Returns the account with its current credentials, or `None` if they have changed.
    /// Failures do not fail the login: the next one tries again.
    fn update(
        &self,
        owner: Owner,
        input: &PasswordLogin,
        is_outdated: bool,
        cancellation: &CancellationToken,
    ) -> Option<Owner> {
        let (user_id, read) = (owner.user.id.get(), &owner.credentials);
        if !is_outdated && !read.lacks_mark() {
            return Some(owner);
        }
        let rehash = || self.hasher.rehash(&input.password, read.hash(), cancellation);
        let hash = if is_outdated { rehash() } else { Ok(read.hash().clone()) };
        let replaced = hash.map_err(DependencyError::from).and_then(|hash| {
            let new = read.clone().with_hash(hash);
            let new = if read.has_second_factor() { new.marked() } else { new };
            let replaced = self.store.write(|tx| self.replace(&owner, &new, tx))?;
            Ok(replaced.then_some(new))
        });
        match replaced {
            Ok(Some(credentials)) => {
                tracing::info!(target: LOG, user_id, "Password hash replaced");
                Some(Owner { credentials, ..owner })
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(target: LOG, user_id, %error, "Password hash not replaced");
                Some(owner)
            }
        }
    }

    /// Rebinds links and queued emails to the new hash, because the password stays the same.
    fn replace(&self, owner: &Owner, new: &Credentials, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let replaced = tx.credentials().replace(owner.user.id, &owner.credentials, new)?;
        if replaced {
            let (tokens, user_id) = (&self.outbox.tokens, owner.user.id);
            let new = tokens.version(new.hash());
            for old in tokens.versions(owner.credentials.hash()) {
                tx.one_time_tokens().rebind(user_id, &old, &new)?;
                tx.outbox().rebind(&old, &new)?;
            }
        }
        Ok(replaced)
    }
}

/// Logs a refused login.
pub(super) fn refused(refusal: LoginRejection, caller: &Caller) -> LogInReason {
    let user_id = refusal.user_id().map(|id| id.get());
    let client = caller.client.ip_address.map(tracing::field::display);
    tracing::warn!(target: LOG, user_id, client, reason = refusal.as_str(), "Login refused");
    LogInReason::InvalidCredentials
}
