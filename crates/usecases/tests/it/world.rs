//! The use cases, wired to doubles.

use crate::doubles::{ContextBlocklist, PlainAuthenticator, PlainTokens};
use chrono::{DateTime, TimeDelta};
use portcullis_domain::registration::{EmailAddress, NewUser, Password, PasswordHash, PasswordPolicy, User};
use portcullis_domain::sessions::{Origin, SessionPolicy};
use portcullis_domain::tokens::{KeyDigest, RefreshPolicy, TokenLifetimes};
use portcullis_ports::{PasswordBlocklist, Store};
use portcullis_testkit::{FixedClock, MapLimiter, MemoryStore, PlainHasher, SeededEntropy};
use portcullis_usecases::limits::{Devices, Limits, Rules};
use portcullis_usecases::login::{LogIn, LogInError, LoggedIn, PasswordLogin};
use portcullis_usecases::registration::{Register, RegisterError, Registered, Registration};
use portcullis_usecases::sessions::{LogOut, LoggedOut, Logout};
use portcullis_usecases::tokens::{
    Authenticate, Authenticated, Issuance, Refresh, RefreshExchange, Refreshed, TokenError, TokenPair,
};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) hasher: Arc<PlainHasher>,
    pub(crate) tokens: Arc<PlainTokens>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) policy: RefreshPolicy,
    pub(crate) sessions: SessionPolicy,
    blocklist: Arc<ContextBlocklist>,
    issuance: Arc<Issuance>,
}

impl World {
    pub(crate) fn new() -> Self {
        let tokens = Arc::new(PlainTokens::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let issuance =
            Issuance { issuer: tokens.clone(), entropy: entropy.clone(), lifetimes: TokenLifetimes::default() };
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let authenticator = Arc::new(PlainAuthenticator);
        Self {
            limits: Arc::new(Limits::off()),
            devices: Arc::new(Devices { authenticator, entropy, clock: clock.clone() }),
            store: Arc::new(MemoryStore::new()),
            hasher: Arc::new(PlainHasher::default()),
            tokens,
            clock,
            policy: RefreshPolicy::STRICT,
            sessions: SessionPolicy::default(),
            blocklist: Arc::new(ContextBlocklist),
            issuance: Arc::new(issuance),
        }
    }

    /// The same with budgets.
    pub(crate) fn limited(rules: Rules) -> Self {
        let world = Self::new();
        let limiter = Arc::new(MapLimiter::new(world.clock.clone()));
        let limits = Arc::new(Limits::new(limiter, world.devices.authenticator.clone(), rules));
        Self { limits, ..world }
    }

    pub(crate) fn register(&self, email: &str, password: &str) -> Result<Registered, RegisterError> {
        let (store, hasher, clock) = (self.store.clone(), self.hasher.clone(), self.clock.clone());
        let password = PasswordPolicy::default().admit(Password::new(password)).unwrap();
        let input = Registration { email: EmailAddress::parse(email).unwrap(), password, client: None };
        let blocklist: Arc<dyn PasswordBlocklist> = self.blocklist.clone();
        let blocklist = Some(blocklist);
        let (product, limits) = ("Gatehouse".to_owned(), self.limits.clone());
        Register { store, hasher, blocklist, product, limits, clock }.run(&input, || true)
    }

    /// An account whose row is given: adopted, or damaged.
    pub(crate) fn adopt(&self, email: &str, hash: &str) -> User {
        self.store.adopt(NewUser {
            email: EmailAddress::stored(email.to_owned()),
            password: PasswordHash::new(hash.to_owned()),
            created_at: DateTime::UNIX_EPOCH,
        })
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
        self.verb().run(&login(email, password), still_wanted)
    }

    pub(crate) fn verb(&self) -> LogIn {
        LogIn {
            store: self.store.clone(),
            hasher: self.hasher.clone(),
            issuance: self.issuance.clone(),
            sessions: self.sessions,
            limits: self.limits.clone(),
            devices: self.devices.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn refresh(&self, token: &str) -> Result<Refreshed, TokenError> {
        self.refresh_with(token, None)
    }

    pub(crate) fn refresh_with(&self, token: &str, key: Option<u8>) -> Result<Refreshed, TokenError> {
        self.refresh_on(self.store.clone()).run(shown(token, key))
    }

    /// The verb on a store of the test's own.
    pub(crate) fn refresh_on(&self, store: Arc<dyn Store>) -> Refresh {
        Refresh {
            store,
            verifier: self.tokens.clone(),
            issuance: self.issuance.clone(),
            policy: self.policy,
            sessions: self.sessions,
            observer: Arc::new(()),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn log_out(&self, token: &str) -> Result<LoggedOut, TokenError> {
        let (store, verifier, clock) = (self.store.clone(), self.tokens.clone(), self.clock.clone());
        LogOut { store, verifier, clock }.run(&Logout { refresh_token: token.to_owned(), origin: Origin::default() })
    }

    pub(crate) fn authenticate(&self, token: &str) -> Result<Authenticated, TokenError> {
        self.authenticate_on(self.store.clone()).run(token)
    }

    pub(crate) fn authenticate_on(&self, store: Arc<dyn Store>) -> Authenticate {
        let (verifier, clock) = (self.tokens.clone(), self.clock.clone());
        Authenticate { store, verifier, sessions: self.sessions, clock }
    }

    /// Registers Ada and signs her in.
    pub(crate) fn ada(&self) -> (User, TokenPair) {
        let Registered(user) = self.register("ada@example.org", "correct horse").unwrap();
        let LoggedIn(pair) = self.log_in("ada@example.org", "correct horse").unwrap();
        (user, pair)
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.clock.advance(time.to_std().unwrap_or(Duration::ZERO));
    }
}

/// A login from nowhere, by no device.
pub(crate) fn login(email: &str, password: &str) -> PasswordLogin {
    let email = EmailAddress::parse(email).unwrap();
    PasswordLogin { email, password: Password::new(password), origin: Origin::default(), device: None }
}

pub(crate) fn shown(token: &str, key: Option<u8>) -> RefreshExchange {
    let key = key.map(|byte| KeyDigest([byte; 32]));
    RefreshExchange { refresh_token: token.to_owned(), key, origin: Origin::default() }
}
