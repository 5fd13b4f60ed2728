//! Signs in with an email address and a password.

use super::owner::{LOOKS, contended, verify};
use crate::LOG;
use crate::failure::{Failure, fails_with};
use crate::limits::{Admission, Devices, LimitError, Limited, Limits};
use crate::mail::Post;
use crate::tokens::{Issuance, TokenPair};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Source, Subject};
use portcullis_domain::login::{self, Refusal};
use portcullis_domain::mail::Language;
use portcullis_domain::registration::{EmailAddress, Password, PasswordHash, User};
use portcullis_domain::sessions::{Origin, SessionPolicy};
use portcullis_ports::{
    Clock, HasherError, PasswordHasher, Patience, SigningError, Store, StoreError, StoreExt, Tx, Verification,
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
    pub origin: Origin,
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
    Limited(Limited),
    /// A dependency failed.
    #[error(transparent)]
    Failed(Failure),
}

fails_with!(LogInError: StoreError, HasherError, SigningError);

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
    pub issuance: Arc<Issuance>,
    /// How many sessions an account may have.
    pub sessions: SessionPolicy,
    /// How often it may be tried.
    pub limits: Arc<Limits>,
    /// What knows devices.
    pub devices: Arc<Devices>,
    /// Who tells the owner of a new device.
    pub post: Arc<Post>,
    /// Whether only those sign in whose address is verified.
    pub require_verified_email: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl LogIn {
    /// Signs in: [`admit`](Self::admit), then [`check`](Self::check).
    ///
    /// # Errors
    /// [`LogInError`].
    pub fn run(
        &self,
        input: &PasswordLogin,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        let admission = self.admit(input)?;
        self.check(input, admission, still_wanted)
    }

    /// Counts the try, before the work: parallel guesses do not outrun the count. A device that
    /// the account knows has a budget of its own, so that guesses from elsewhere do not stand in
    /// the owner's way.
    ///
    /// # Errors
    /// [`LogInError`].
    pub fn admit(&self, input: &PasswordLogin) -> Result<Admission, LogInError> {
        let device = input.device.as_deref().and_then(|cookie| self.devices.recognise(cookie, &input.email));
        let guess = match device {
            Some(device) => (Budget::Device, Subject::Device(&input.email, device)),
            None => (Budget::Account, Subject::Account(&input.email)),
        };
        let source = input.origin.ip_address.map(|client| (Budget::Source, Subject::Source(Source::of(client))));
        let draws: Vec<_> = std::iter::once(guess).chain(source).collect();
        Ok(self.limits.admit(&draws)?)
    }

    /// Does what was admitted. Takes one hash's time, whoever asks. Once nobody wants the answer
    /// any more, a hash that has not begun is not made. A wrong guess is spent; whatever else
    /// happens gives the try back.
    ///
    /// # Errors
    /// [`LogInError`].
    pub fn check(
        &self,
        input: &PasswordLogin,
        admission: Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        let outcome = self.sign_in(input, &admission, still_wanted);
        if matches!(outcome, Err(LogInError::InvalidCredentials)) {
            admission.spend();
        }
        outcome
    }

    fn sign_in(
        &self,
        input: &PasswordLogin,
        admission: &Admission,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        let patience = Patience::lasting_while(still_wanted);
        let candidates = self.store.read(|tx| tx.users().find_by_email(&input.email))?;
        let mut user = login::choose(candidates, &input.email);
        for _ in 0..LOOKS {
            let verification = self.verify(user.as_ref(), input, &patience)?;
            let matched = matches!(verification, Verification::Match { .. });
            let known = login::decide(user, matched).map_err(|refusal| refused(refusal, input.origin.ip_address))?;
            if self.require_verified_email && known.email_verified_at.is_none() {
                tracing::warn!(target: LOG, user_id = known.id.get(), "Login refused until the address is verified");
                return Err(LogInError::EmailUnverified);
            }
            let known = if verification == (Verification::Match { outdated: true }) {
                self.rehash(known, &input.password, &patience)
            } else {
                known
            };
            if let Some(logged_in) = self.enter(&known, input, admission)? {
                return Ok(logged_in);
            }
            // Another hash took the place of the one that the password was held against.
            user = self.store.read(|tx| tx.users().find(known.id))?;
        }
        Err(contended().into())
    }

    fn verify(
        &self,
        user: Option<&User>,
        input: &PasswordLogin,
        patience: &Patience,
    ) -> Result<Verification, HasherError> {
        let Some(user) = user else {
            let account = input.email.canonical();
            let stand_in = self.hasher.verify_stand_in(&input.password, account, patience);
            return stand_in.map(|()| Verification::Mismatch);
        };
        verify(&*self.hasher, &input.password, user, patience)
    }

    /// Replaces an outdated hash; the account with the hash that it has then, as far as is known.
    /// Somebody who changed the password meanwhile wins. What goes wrong costs nobody the login:
    /// the next one tries again.
    fn rehash(&self, user: User, password: &Password, patience: &Patience) -> User {
        let user_id = user.id.get();
        let replaced = self.hasher.rehash(password, &user.password, patience).map_err(Failure::from).and_then(|new| {
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
            let [old, new] = [&user.password, new].map(|hash| self.post.tokens.version(hash));
            tx.one_time_tokens().rebind(user.id, &old, &new)?;
            tx.outbox().rebind(&old, &new)?;
        }
        Ok(replaced)
    }
}

fn refused(refusal: Refusal, client: Option<IpAddr>) -> LogInError {
    let user_id = refusal.user_id().map(|id| id.get());
    let client = client.map(tracing::field::display);
    tracing::warn!(target: LOG, user_id, client, reason = refusal.as_str(), "Login refused");
    LogInError::InvalidCredentials
}
