//! The use cases, wired to doubles.

use crate::doubles::{ContextBlocklist, CountingNotifier, PlainAuthenticator, PlainTokens};
use crate::mail_fixtures::{Mailbox, Meanwhile};
use chrono::{DateTime, TimeDelta};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::{Credentials, EntryPolicy, Owner};
use portcullis_domain::mail::Language;
use portcullis_domain::maintenance::Retention;
use portcullis_domain::passkeys::RelyingParty;
use portcullis_domain::registration::{EmailAddress, NewUser, Password, PasswordHash, PasswordPolicy, User, UserId};
use portcullis_domain::sessions::{ClientInfo, SessionPolicy};
use portcullis_domain::tokens::{IdempotencyKeyDigest, RefreshPolicy, TokenLifetimes};
use portcullis_ports::{PasswordBlocklist, Store, StoreError, StoreExt};
use portcullis_testkit::{
    FixedClock, MapLimiter, MemoryStore, PlainHasher, PlainPasskeys, PlainSealer, PlainTotp, SeededEntropy,
};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits, Rules};
use portcullis_usecases::login::{Gate, LogIn, LogInError, LoggedIn, PasswordLogin};
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::maintenance::Purge;
use portcullis_usecases::mfa::SecondFactor;
use portcullis_usecases::passkeys::{PasskeyCeremonies, PasskeyChallenges};
use portcullis_usecases::registration::{PasswordScreening, Register, RegisterError, Registered, Registration};
use portcullis_usecases::sessions::{BeginSession, LogOut, LoggedOut};
use portcullis_usecases::tokens::{
    Authenticate, Authenticated, Refresh, RefreshExchange, Refreshed, TokenError, TokenFactory, TokenPair,
};
use portcullis_usecases::verification::OneTimeTokens;
use portcullis_usecases::{Caller, Counted};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) hasher: Arc<PlainHasher>,
    pub(crate) tokens: Arc<PlainTokens>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) ceremonies: Arc<PasskeyCeremonies>,
    pub(crate) devices: Arc<DeviceCookies>,
    pub(crate) policy: RefreshPolicy,
    pub(crate) sessions: SessionPolicy,
    pub(crate) screening: Arc<PasswordScreening>,
    pub(crate) issuance: Arc<TokenFactory>,
    pub(crate) one_time: Arc<OneTimeTokens>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) notifier: Arc<CountingNotifier>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) require_verified_email: bool,
    pub(crate) require_second_factor: bool,
    /// Time for which devices are trusted.
    pub(crate) trust_for: Option<TimeDelta>,
}

impl World {
    pub(crate) fn new() -> Self {
        let tokens = Arc::new(PlainTokens::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let issuance =
            TokenFactory { issuer: tokens.clone(), entropy: entropy.clone(), lifetimes: TokenLifetimes::default() };
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let authenticator = Arc::new(PlainAuthenticator);
        let blocklist: Arc<dyn PasswordBlocklist> = Arc::new(ContextBlocklist);
        let screening = PasswordScreening { blocklist: Some(blocklist), product: "Gatehouse".to_owned() };
        let one_time = OneTimeTokens { authenticator: authenticator.clone(), entropy: entropy.clone() };
        let (one_time, notifier) = (Arc::new(one_time), Arc::new(CountingNotifier::default()));
        let outbox = Outbox { tokens: one_time.clone(), notices: Notices::default(), observer: notifier.clone() };
        let origins = vec!["https://example.org".to_owned()];
        let challenges =
            PasskeyChallenges { signer: authenticator.clone(), entropy: entropy.clone(), clock: clock.clone() };
        let ceremonies = PasskeyCeremonies {
            party: Some(RelyingParty { id: "example.org".to_owned(), origins }),
            verifier: Arc::new(PlainPasskeys),
            challenges,
        };
        Self {
            limits: Arc::new(Limits::off()),
            ceremonies: Arc::new(ceremonies),
            devices: Arc::new(DeviceCookies { authenticator, entropy, clock: clock.clone() }),
            store: Arc::new(MemoryStore::new()),
            hasher: Arc::new(PlainHasher::default()),
            tokens,
            clock,
            policy: RefreshPolicy::STRICT,
            sessions: SessionPolicy::default(),
            screening: Arc::new(screening),
            issuance: Arc::new(issuance),
            one_time,
            outbox: Arc::new(outbox),
            notifier,
            mailbox: Arc::default(),
            require_verified_email: false,
            require_second_factor: false,
            trust_for: None,
        }
    }

    /// Returns a world with budgets.
    pub(crate) fn limited(rules: Rules) -> Self {
        let world = Self::new();
        let limiter = Arc::new(MapLimiter::new(world.clock.clone()));
        let limits = Arc::new(Limits::new(limiter, world.devices.authenticator.clone(), rules));
        Self { limits, ..world }
    }

    pub(crate) fn register(&self, email: &str, password: &str) -> Result<Registered, RegisterError> {
        self.register_on(self.store.clone(), email, password)
    }

    pub(crate) fn register_on(
        &self,
        store: Arc<dyn Store>,
        email: &str,
        password: &str,
    ) -> Result<Registered, RegisterError> {
        self.registering(store).run(&registration_of(email, password), &Caller::default())
    }

    pub(crate) fn registering(&self, store: Arc<dyn Store>) -> Register {
        let (hasher, clock) = (self.hasher.clone(), self.clock.clone());
        let (screening, outbox, limits) = (self.screening.clone(), self.outbox.clone(), self.limits.clone());
        Register { store, hasher, screening, outbox, limits, clock }
    }

    /// Adds an account with a given hash: adopted, or unreadable.
    pub(crate) fn adopt(&self, email: &str, hash: &str) -> User {
        self.store.adopt(NewUser {
            email: EmailAddress::from_stored(email.to_owned()),
            credentials: Credentials::from_hash(PasswordHash::new(hash.to_owned())),
            created_at: DateTime::UNIX_EPOCH,
            verified_at: None,
        })
    }

    /// Returns an account with its credentials.
    pub(crate) fn owner(&self, id: UserId) -> Owner {
        self.store.read(|tx| tx.credentials().owner(id)).unwrap().unwrap()
    }

    pub(crate) fn log_in(&self, email: &str, password: &str) -> Result<LoggedIn, LogInError> {
        self.log_in_while(email, password, || true)
    }

    pub(crate) fn log_in_while(
        &self,
        email: &str,
        password: &str,
        still_wanted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<LoggedIn, LogInError> {
        self.verb().run(&login(email, password), &Caller::default().waiting_while(still_wanted))
    }

    pub(crate) fn verb(&self) -> LogIn {
        self.verb_on(self.store.clone())
    }

    pub(crate) fn verb_on(&self, store: Arc<dyn Store>) -> LogIn {
        let (devices, outbox) = (self.devices.clone(), self.outbox.clone());
        let (issuance, sessions, clock) = (self.issuance.clone(), self.sessions, self.clock.clone());
        let always_claims = false;
        let beginning =
            BeginSession { store: store.clone(), issuance, sessions, devices, outbox, always_claims, clock };
        let policy = EntryPolicy {
            verified_email: self.require_verified_email,
            second_factor: self.require_second_factor,
            trusted_devices: self.trust_for.is_some(),
        };
        LogIn {
            second_factor: self.second_factor(store.clone()),
            store,
            hasher: self.hasher.clone(),
            guesses: self.guesses(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            gate: Arc::new(Gate { policy, beginning, passkeys: self.ceremonies.clone() }),
        }
    }

    pub(crate) fn second_factor(&self, store: Arc<dyn Store>) -> Arc<SecondFactor> {
        Arc::new(SecondFactor {
            store,
            sealer: Arc::new(PlainSealer),
            totp: Arc::new(PlainTotp),
            passkeys: self.ceremonies.clone(),
            observer: Arc::new(()),
            limits: self.limits.clone(),
            devices: self.devices.clone(),
            outbox: self.outbox.clone(),
            entropy: self.issuance.entropy.clone(),
            trust_for: self.trust_for,
            clock: self.clock.clone(),
        })
    }

    pub(crate) fn guesses(&self) -> Arc<Guesses> {
        let (limits, devices, store) = (self.limits.clone(), self.devices.clone(), self.store.clone());
        Arc::new(Guesses { limits, devices, store })
    }

    pub(crate) fn refresh(&self, token: &str) -> Result<Refreshed, TokenError> {
        self.refresh_with(token, None)
    }

    pub(crate) fn refresh_with(&self, token: &str, key: Option<u8>) -> Result<Refreshed, TokenError> {
        self.refresh_on(self.store.clone()).run(&shown(token, key), &Caller::default())
    }

    /// Returns the use case on the test's own store.
    pub(crate) fn refresh_on(&self, store: Arc<dyn Store>) -> Refresh {
        Refresh {
            store,
            verifier: self.tokens.clone(),
            issuance: self.issuance.clone(),
            policy: self.policy,
            sessions: self.sessions,
            outbox: self.outbox.clone(),
            observer: Arc::new(()),
            require_verified_email: self.require_verified_email,
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn log_out(&self, token: &str) -> Result<LoggedOut, TokenError> {
        let (store, verifier, clock) = (self.store.clone(), self.tokens.clone(), self.clock.clone());
        LogOut { store, verifier, clock }.run(token, &Caller::default())
    }

    pub(crate) fn authenticate(&self, token: &str) -> Result<Authenticated, TokenError> {
        self.authenticate_on(self.store.clone()).run(token)
    }

    pub(crate) fn authenticate_on(&self, store: Arc<dyn Store>) -> Authenticate {
        let (verifier, clock) = (self.tokens.clone(), self.clock.clone());
        Authenticate { store, verifier, sessions: self.sessions, clock }
    }

    /// Registers Ada and logs her in.
    pub(crate) fn ada(&self) -> (User, TokenPair) {
        let Registered(user) = self.register("ada@example.org", "correct horse").unwrap();
        let LoggedIn { pair, .. } = self.log_in("ada@example.org", "correct horse").unwrap();
        (user, pair)
    }

    pub(crate) fn purge(&self) -> Purge {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Purge { store, retention: Retention::default(), sessions: self.sessions, clock }
    }

    /// Runs `work` while the store is unavailable.
    pub(crate) fn without_store<T>(&self, work: impl FnOnce() -> T) -> T {
        self.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
        let outcome = work();
        self.store.set_outage(None);
        outcome
    }

    /// Returns a login on a store in which `happens` runs between reading the account and beginning the
    /// session.
    pub(crate) fn log_in_meanwhile(
        self: &Arc<Self>,
        happens: impl FnOnce(&Self) + Send + 'static,
    ) -> Option<ErrorCode> {
        let meanwhile = self.clone();
        let verb = self.verb_on(Meanwhile::of(self, move || happens(&meanwhile)));
        let outcome = verb.run(&login("ada@example.org", "correct horse"), &Caller::default());
        outcome.err().map(|error| error.code())
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.clock.advance(time.to_std().unwrap_or(Duration::ZERO));
    }
}

pub(crate) fn login(email: &str, password: &str) -> PasswordLogin {
    let email = EmailAddress::parse(email).unwrap();
    PasswordLogin { email, password: Password::new(password), code: None, remember_device: false }
}

pub(crate) fn shown(token: &str, key: Option<u8>) -> RefreshExchange {
    let key = key.map(|byte| IdempotencyKeyDigest([byte; 32]));
    RefreshExchange { refresh_token: token.to_owned(), key, by_device: false }
}

pub(crate) fn registration_of(email: &str, password: &str) -> Registration {
    let password = PasswordPolicy::default().validate(Password::new(password)).unwrap();
    Registration { email: EmailAddress::parse(email).unwrap(), password }
}

/// A caller at an IP address.
pub(crate) fn at(address: &str) -> Caller {
    let client = ClientInfo { ip_address: Some(address.parse().unwrap()), user_agent: None };
    Caller { client, ..Caller::default() }
}

/// A caller with a device cookie, or without.
pub(crate) fn with(device: Option<String>) -> Caller {
    Caller { device, ..Caller::default() }
}

/// A caller with a language.
pub(crate) fn speaking(language: Language) -> Caller {
    Caller { language, ..Caller::default() }
}
