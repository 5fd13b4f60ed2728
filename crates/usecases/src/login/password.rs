//! Signs in with an email address and a password.

use super::reauthentication::{MAX_ATTEMPTS, hash_contention, verify};
use crate::LOG;
use crate::failure::{DependencyError, from_dependency_errors};
use crate::limits::{Admission, DeviceCookies, Guess, Guesses, LimitError, RateLimited};
use crate::mail::Outbox;
use crate::tokens::{TokenFactory, TokenPair};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{DeviceCookie, Source};
use portcullis_domain::login::{self, LoginRejection};
use portcullis_domain::mail::Language;
use portcullis_domain::registration::{EmailAddress, Password, PasswordHash, User};
use portcullis_domain::sessions::{ClientInfo, SessionPolicy};
use portcullis_ports::{
    CancellationToken, Clock, HasherError, PasswordCheck, PasswordHasher, SigningError, Store, StoreError, StoreExt, Tx,
};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Who wants to sign in.
#[derive(Debug)]
pub struct PasswordLogin {
    /// With which address.
    pub email: EmailAddress,
    /// With which password; no policy applies to it.
    pub password: Password,
    /// From where.
    pub client: ClientInfo,
    /// The cookie of the device, if it showed one.
    pub device: Option<String>,
    /// In which language the owner is told, should the device be a new one.
    pub language: Language,
}

/// A new session. Redacted in `Debug`.
pub struct LoggedIn {
    /// Its tokens.
    pub pair: TokenPair,
    /// The cookie for the device, by which it is known from now on.
    pub cookie: String,
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggedIn(…)")
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Wrong address, wrong password or inactive account: the log knows which.
    #[error("Invalid email or password")]
    InvalidCredentials,
    /// The password was right, and the address has to be verified before anybody signs in.
    #[error("Email address is not verified")]
    EmailUnverified,
    /// A budget is spent. Told before anything is looked up.
    #[error(transparent)]
    Limited(RateLimited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(DependencyError),
}

from_dependency_errors!(LogInError: StoreError, HasherError, SigningError);

impl LogInError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidCredentials => ErrorCode::InvalidCredentials,
            Self::EmailUnverified => ErrorCode::EmailUnverified,
            Self::Limited(_) => ErrorCode::RateLimited,
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl From<LimitError> for LogInError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited(limited) => Self::Limited(limited),
            LimitError::Failed(failure) => Self::Failed(failure),
        }
    }
}

/// The verb.
pub struct LogIn {
    /// Where accounts and tokens are kept.
    pub store: Arc<dyn Store>,
    /// What verifies the password.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What makes tokens.
    pub issuance: Arc<TokenFactory>,
    /// How many sessions an account may have.
    pub sessions: SessionPolicy,
    /// How often it may be tried.
    pub guesses: Arc<Guesses>,
    /// What knows devices.
    pub devices: Arc<DeviceCookies>,
    /// Who tells the owner of a new device.
    pub outbox: Arc<Outbox>,
    /// Whether only those sign in whose address is verified.
    pub require_verified_email: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl LogIn {
    /// Signs in: counts the [`guess`](Self::guess), then [`execute`](Self::execute), and once more as a
    /// stranger where the device turns out to be unknown by now.
    ///
    /// # Errors
    /// [`LogInError`].
    pub fn run(
        &self,
        input: &PasswordLogin,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        let still_wanted = Arc::new(still_wanted);
        for (device, is_call) in [(self.device(input), true), (None, false)] {
            let admission = self.guesses.count(&Guess { is_call, ..Self::guess(input, device.as_ref()) })?;
            let still_wanted = Arc::clone(&still_wanted);
            if let Some(logged_in) = self.execute(input, device, admission, move || still_wanted())? {
                return Ok(logged_in);
            }
        }
        Err(hash_contention().into())
    }

    /// Returns the device that the input's cookie names, if it was issued for that account. Its
    /// password may be an old one.
    #[must_use]
    pub fn device(&self, input: &PasswordLogin) -> Option<DeviceCookie> {
        input.device.as_deref().and_then(|cookie| self.devices.read(cookie, &input.email))
    }

    /// Returns the guess to count before the work: parallel guesses do not outrun the count.
    #[must_use]
    pub fn guess(input: &PasswordLogin, device: Option<&DeviceCookie>) -> Guess {
        Guess {
            email: input.email.clone(),
            device: device.map(|cookie| cookie.device),
            source: input.client.ip_address.map(Source::from_ip),
            is_call: true,
        }
    }

    /// Does what was admitted. Takes one hash's time, whoever asks. Once nobody wants the answer
    /// any more, a hash that has not begun is not made. A wrong guess is spent; whatever else
    /// happens gives the try back.
    ///
    /// `None` if the guess was counted for a device whose password is not the account's any more:
    /// nothing was hashed, and it has to be counted as a stranger's.
    ///
    /// # Errors
    /// [`LogInError`].
    pub fn execute(
        &self,
        input: &PasswordLogin,
        device: Option<DeviceCookie>,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Option<LoggedIn>, LogInError> {
        let outcome = self.sign_in(input, device, &admission, still_wanted);
        if matches!(outcome, Err(LogInError::InvalidCredentials)) {
            admission.commit();
        }
        outcome
    }

    fn sign_in(
        &self,
        input: &PasswordLogin,
        device: Option<DeviceCookie>,
        admission: &Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Option<LoggedIn>, LogInError> {
        let cancellation = CancellationToken::cancelled_unless(still_wanted);
        let candidates = self.store.read(|tx| tx.users().find_by_email(&input.email))?;
        let mut user = login::select_account(candidates, &input.email);
        for _ in 0..MAX_ATTEMPTS {
            let current = |cookie| user.as_ref().is_some_and(|user| self.devices.is_current(cookie, &user.password));
            if !device.as_ref().is_none_or(current) {
                return Ok(None);
            }
            let verification = self.verify(user.as_ref(), input, &cancellation)?;
            let matched = matches!(verification, PasswordCheck::Match { .. });
            let known = login::decide(user, matched).map_err(|refusal| refused(refusal, input.client.ip_address))?;
            if self.require_verified_email && known.email_verified_at.is_none() {
                tracing::warn!(target: LOG, user_id = known.id.get(), "Login refused until the address is verified");
                return Err(LogInError::EmailUnverified);
            }
            let known = if verification == (PasswordCheck::Match { needs_rehash: true }) {
                self.rehash(known, &input.password, &cancellation)
            } else {
                known
            };
            if let Some(logged_in) = self.begin_session(&known, input, device.map(|cookie| cookie.device), admission)? {
                return Ok(Some(logged_in));
            }
            // Another hash took the place of the one that the password was held against.
            user = self.store.read(|tx| tx.users().find(known.id))?;
        }
        Err(hash_contention().into())
    }

    fn verify(
        &self,
        user: Option<&User>,
        input: &PasswordLogin,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError> {
        let Some(user) = user else {
            let account = input.email.canonical();
            let stand_in = self.hasher.dummy_verify(&input.password, account, cancellation);
            return stand_in.map(|()| PasswordCheck::Mismatch);
        };
        verify(&*self.hasher, &input.password, user, cancellation)
    }

    /// Replaces an outdated hash; the account with the hash that it has then, as far as is known.
    /// Somebody who changed the password meanwhile wins. What goes wrong costs nobody the login:
    /// the next one tries again.
    fn rehash(&self, user: User, password: &Password, cancellation: &CancellationToken) -> User {
        let user_id = user.id.get();
        let replaced =
            self.hasher.rehash(password, &user.password, cancellation).map_err(DependencyError::from).and_then(|new| {
                let replaced = self.store.write(|tx| self.replace(&user, &new, tx))?;
                Ok(replaced.then_some(new))
            });
        match replaced {
            Ok(Some(password)) => {
                tracing::info!(target: LOG, user_id, "Password hash replaced");
                return User { password, ..user };
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(target: LOG, user_id, %error, "Password hash not replaced"),
        }
        user
    }

    /// The password stays what it was, and so do the links that were mailed or ordered under it.
    fn replace(&self, user: &User, new: &PasswordHash, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let replaced = tx.users().replace_password(user.id, &user.password, new)?;
        if replaced {
            let [old, new] = [&user.password, new].map(|hash| self.outbox.tokens.version(hash));
            tx.one_time_tokens().rebind(user.id, &old, &new)?;
            tx.outbox().rebind(&old, &new)?;
        }
        Ok(replaced)
    }
}

fn refused(refusal: LoginRejection, client: Option<IpAddr>) -> LogInError {
    let user_id = refusal.user_id().map(|id| id.get());
    let client = client.map(tracing::field::display);
    tracing::warn!(target: LOG, user_id, client, reason = refusal.as_str(), "Login refused");
    LogInError::InvalidCredentials
}
