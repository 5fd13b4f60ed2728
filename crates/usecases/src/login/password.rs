//! Signs in with an email address and a password.

use crate::LOG;
use crate::failure::{Failure, fails_with};
use crate::limits::{Admission, Devices, LimitError, Limited, Limits};
use crate::tokens::{Issuance, TokenPair};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Source, Subject};
use portcullis_domain::login::{self, Refusal};
use portcullis_domain::registration::{EmailAddress, Password, User};
use portcullis_domain::sessions::{EndReason, Ending, EventKind, Origin, Session, SessionEvent, SessionPolicy};
use portcullis_domain::tokens::RefreshToken;
use portcullis_ports::{
    Clock, HasherError, ListedSession, PasswordHasher, Patience, SigningError, Store, StoreError, StoreExt, Tx,
    Verification,
};
use std::net::IpAddr;
use std::sync::Arc;

/// How many of an account's sessions are looked at: more than it may have, for many may have been
/// adopted.
const LOOK: u32 = 10_000;
/// How many of those the writer is held up for in one login: the next ends more.
const MOST_EVICTED: usize = 100;

/// How often an account is looked at that others change meanwhile.
const LOOKS: usize = 3;

/// As many logins of one account as may come at one time.
const CROWD: usize = 64;

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
}

/// The tokens of a new session.
#[derive(Debug)]
pub struct LoggedIn(pub TokenPair);

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Wrong address, wrong password or inactive account: the log knows which.
    #[error("Invalid email or password")]
    InvalidCredentials,
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
        let outcome = self.sign_in(input, still_wanted);
        if matches!(outcome, Err(LogInError::InvalidCredentials)) {
            admission.spend();
        }
        outcome
    }

    fn sign_in(
        &self,
        input: &PasswordLogin,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        let patience = Patience::lasting_while(still_wanted);
        for _ in 0..LOOKS {
            if let Some(logged_in) = self.attempt(input, &patience)? {
                return Ok(logged_in);
            }
        }
        Err(StoreError::Busy("the account changed whenever it was looked at".to_owned()).into())
    }

    /// One look at the account; none where it changed before its session began, and has to be
    /// looked at again.
    fn attempt(&self, input: &PasswordLogin, patience: &Patience) -> Result<Option<LoggedIn>, LogInError> {
        let candidates = self.store.read(|tx| tx.users().find_by_email(&input.email))?;
        let user = login::choose(candidates, &input.email);
        let verification = self.verify(user.as_ref(), &input.password, patience)?;
        let matched = matches!(verification, Verification::Match { .. });
        let mut user = login::decide(user, matched).map_err(|refusal| refused(refusal, input.origin.ip_address))?;
        if verification == (Verification::Match { outdated: true }) {
            self.rehash(&mut user, &input.password, patience);
        }
        let (session, token, pair) = self.issuance.begin(user.id, self.clock.now())?;
        if !self.store.write(|tx| self.begin(&user, (&session, &token), &input.origin, tx))? {
            return Ok(None);
        }
        let client = input.origin.ip_address.map(tracing::field::display);
        tracing::info!(target: LOG, user_id = user.id.get(), client, "User authenticated");
        Ok(Some(LoggedIn(pair)))
    }

    /// Begins a session with its first token, and before it ends those least recently used where
    /// there would be too many. Whether the account is still what was looked at: one that was
    /// disabled or deleted meanwhile, or has another password, begins none.
    fn begin(
        &self,
        user: &User,
        (session, token): (&Session, &RefreshToken),
        origin: &Origin,
        tx: &mut dyn Tx,
    ) -> Result<bool, StoreError> {
        let crowded = self.is_crowded(session, tx)?;
        if crowded {
            // Before the account is asked for less: two that asked would wait for each other.
            tx.sessions().hold(user.id)?;
        }
        if !tx.users().admits(user.id, &user.password)? {
            return Ok(false);
        }
        if crowded {
            self.make_room(session, origin, tx)?;
        }
        let event = SessionEvent { at: session.started_at, kind: EventKind::LogIn, origin: origin.clone() };
        tx.sessions().begin(session, origin)?;
        tx.sessions().record(session.id, &event)?;
        tx.refresh_tokens().insert(token)?;
        Ok(true)
    }

    /// Logins of one account wait for each other only where they could be too many together.
    fn is_crowded(&self, newest: &Session, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let few = self.others().saturating_sub(CROWD);
        let limit = u32::try_from(few).unwrap_or(u32::MAX).saturating_add(1);
        let too_old_by = self.sessions.too_old_by(newest.started_at);
        Ok(few == 0 || tx.sessions().list(newest.user_id, too_old_by, limit)?.len() > few)
    }

    /// How many sessions an account may have besides the newest.
    fn others(&self) -> usize {
        self.sessions.max_per_user.saturating_sub(1)
    }

    fn make_room(&self, newest: &Session, origin: &Origin, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let at = newest.started_at;
        let mut listed = tx.sessions().list(newest.user_id, self.sessions.too_old_by(at), LOOK)?;
        let too_many = listed.len().saturating_sub(self.others()).min(MOST_EVICTED);
        listed.sort_unstable_by_key(|other| other.last_used_at);
        let ending = Ending { at, reason: EndReason::Evicted, origin: origin.clone() };
        for ListedSession { session, .. } in listed.iter().take(too_many) {
            tx.sessions().end(session.id, &ending)?;
        }
        Ok(())
    }

    fn verify(
        &self,
        user: Option<&User>,
        password: &Password,
        patience: &Patience,
    ) -> Result<Verification, HasherError> {
        let Some(user) = user else {
            return self.hasher.verify_stand_in(password, patience).map(|()| Verification::Mismatch);
        };
        let verification = self.hasher.verify(password, &user.password, patience)?;
        if verification == Verification::Unreadable {
            tracing::error!(target: LOG, user_id = user.id.get(), "Stored password hash is unreadable");
        }
        Ok(verification)
    }

    /// Replaces an outdated hash. Somebody who changed the password meanwhile wins. What goes
    /// wrong costs nobody the login: the next one tries again.
    fn rehash(&self, user: &mut User, password: &Password, patience: &Patience) {
        let user_id = user.id.get();
        let replaced = self.hasher.hash(password, patience).map_err(Failure::from).and_then(|new| {
            let replaced = self.store.write(|tx| tx.users().replace_password(user.id, &user.password, &new))?;
            Ok(replaced.then_some(new))
        });
        match replaced {
            Ok(Some(new)) => {
                user.password = new;
                tracing::info!(target: LOG, user_id, "Password hash replaced");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(target: LOG, user_id, %error, "Password hash not replaced"),
        }
    }
}

fn refused(refusal: Refusal, client: Option<IpAddr>) -> LogInError {
    let user_id = refusal.user_id().map(|id| id.get());
    let client = client.map(tracing::field::display);
    tracing::warn!(target: LOG, user_id, client, reason = refusal.as_str(), "Login refused");
    LogInError::InvalidCredentials
}
