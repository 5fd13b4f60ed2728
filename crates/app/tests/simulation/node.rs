//! One lifetime of the process: the use cases, wired as in `wire.rs`, with a store, a hasher and a signer
//! that fail.

use crate::apps::Factors;
use crate::circuit::{Circuit, RECOVERY, THRESHOLD};
use crate::hasher::hasher;
use crate::signer::Signer;
use crate::spec::{ACCESS_LIFE, REFRESH_LIFE};
use crate::store::{CheckedBreaker, faulty};
use crate::world::SimWorld;
use portcullis_domain::login::EntryPolicy;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::{RefreshPolicy, TokenLifetimes};
use portcullis_hmac::HmacSigner;
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier};
use portcullis_ports::{Clock, Entropy, Store};
use portcullis_resilience::{Breaker, BreakerSettings, CircuitBreaker};
use portcullis_testkit::{PlainPasskeys, PlainSealer, PlainTotp};
use portcullis_usecases::health::CheckReadiness;
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::{Gate, LogIn};
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::mfa::SecondFactor;
use portcullis_usecases::passkeys::{PasskeyCeremonies, PasskeyChallenges};
use portcullis_usecases::registration::{PasswordScreening, Register};
use portcullis_usecases::sessions::{BeginSession, LogOut};
use portcullis_usecases::tokens::{Authenticate, Refresh, TokenFactory};
use portcullis_usecases::verification::OneTimeTokens;
use std::sync::{Arc, Mutex};

const SECRET: &[u8] = &[7; 32];
const ALGORITHM: Algorithm = Algorithm::Hs256;

/// Simulated process.
pub(crate) struct Process {
    pub(crate) register: Register,
    pub(crate) log_in: LogIn,
    pub(crate) factors: Factors,
    pub(crate) refresh: Refresh,
    pub(crate) log_out: LogOut,
    pub(crate) authenticate: Authenticate,
    pub(crate) readiness: CheckReadiness,
}

impl Process {
    /// Starts a process with a closed circuit and an idle bulkhead. The random source continues.
    pub(crate) fn start(stage: &Arc<SimWorld>, entropy: &Arc<dyn Entropy>) -> Arc<Self> {
        let clock: Arc<dyn Clock> = stage.clock.clone();
        let guarded = Arc::new(Breaker::new("database", faulty(stage), circuit(clock.clone())));
        let promise = Mutex::new(Circuit::new());
        let store: Arc<dyn Store> = Arc::new(CheckedBreaker { stage: stage.clone(), inner: guarded.clone(), promise });
        let hasher = hasher(stage);
        let inner = JwtIssuer::with_secret(ALGORITHM, SECRET).unwrap();
        let lifetimes = TokenLifetimes { access: ACCESS_LIFE, refresh: REFRESH_LIFE };
        let issuer = Arc::new(Signer { stage: stage.clone(), inner });
        let issuance = Arc::new(TokenFactory { issuer, entropy: entropy.clone(), lifetimes });
        let sessions = SessionPolicy::default();
        let verifier = Arc::new(JwtVerifier::with_secret(ALGORITHM, SECRET).unwrap());
        // Rate limits have separate tests.
        let limits = Arc::new(Limits::off());
        let authenticator = Arc::new(HmacSigner::derive(SECRET, "devices"));
        let devices = Arc::new(DeviceCookies { authenticator, entropy: entropy.clone(), clock: clock.clone() });
        let guesses = Guesses { limits: limits.clone(), devices: devices.clone(), store: store.clone() };
        let (outbox, passkeys) = (outbox(entropy), passkeys_off(entropy, &clock));
        let beginning = begin_session(&store, &issuance, &devices, &outbox);
        let log_in = LogIn {
            store: store.clone(),
            hasher: hasher.clone(),
            guesses: Arc::new(guesses),
            devices,
            outbox: outbox.clone(),
            second_factor: second_factor(&beginning, &passkeys),
            gate: Arc::new(Gate { policy: EntryPolicy::default(), beginning, passkeys }),
        };
        Arc::new(Self {
            factors: Factors::of(stage, &log_in, &verifier),
            log_in,
            register: Register {
                store: store.clone(),
                hasher,
                screening: Arc::new(PasswordScreening { blocklist: None, product: "Portcullis".to_owned() }),
                outbox: outbox.clone(),
                limits: limits.clone(),
                clock: clock.clone(),
            },
            refresh: Refresh {
                store: store.clone(),
                verifier: verifier.clone(),
                issuance,
                policy: RefreshPolicy::STRICT,
                sessions,
                outbox,
                observer: Arc::new(()),
                require_verified_email: false,
                clock: clock.clone(),
            },
            log_out: LogOut { store: store.clone(), verifier: verifier.clone(), clock: clock.clone() },
            authenticate: Authenticate { store: store.clone(), verifier, sessions, clock: clock.clone() },
            readiness: CheckReadiness {
                store,
                circuits: vec![guarded],
                shared: None,
                mail: None,
                providers: None,
                limits,
                clock,
            },
        })
    }
}

fn begin_session(
    store: &Arc<dyn Store>,
    issuance: &Arc<TokenFactory>,
    devices: &Arc<DeviceCookies>,
    outbox: &Arc<Outbox>,
) -> BeginSession {
    BeginSession {
        store: store.clone(),
        issuance: issuance.clone(),
        sessions: SessionPolicy::default(),
        devices: devices.clone(),
        outbox: outbox.clone(),
        always_claims: false,
        clock: devices.clock.clone(),
    }
}

/// The simulation has no passkeys.
fn passkeys_off(entropy: &Arc<dyn Entropy>, clock: &Arc<dyn Clock>) -> Arc<PasskeyCeremonies> {
    let signer = Arc::new(HmacSigner::derive(SECRET, "passkey challenges"));
    let challenges = PasskeyChallenges { signer, entropy: entropy.clone(), clock: clock.clone() };
    Arc::new(PasskeyCeremonies { party: None, verifier: Arc::new(PlainPasskeys), challenges })
}

fn second_factor(beginning: &BeginSession, passkeys: &Arc<PasskeyCeremonies>) -> Arc<SecondFactor> {
    Arc::new(SecondFactor {
        store: beginning.store.clone(),
        sealer: Arc::new(PlainSealer),
        totp: Arc::new(PlainTotp),
        passkeys: passkeys.clone(),
        observer: Arc::new(()),
        limits: Arc::new(Limits::off()),
        devices: beginning.devices.clone(),
        outbox: beginning.outbox.clone(),
        entropy: passkeys.challenges.entropy.clone(),
        trust_for: None,
        clock: beginning.clock.clone(),
    })
}

fn outbox(entropy: &Arc<dyn Entropy>) -> Arc<Outbox> {
    let authenticator = Arc::new(HmacSigner::derive(SECRET, "one-time tokens"));
    let tokens = Arc::new(OneTimeTokens { authenticator, entropy: entropy.clone() });
    Arc::new(Outbox { tokens, notices: Notices::default(), observer: Arc::new(()) })
}

fn circuit(clock: Arc<dyn Clock>) -> CircuitBreaker {
    let settings = BreakerSettings::default().with_failure_threshold(THRESHOLD).with_recovery_timeout(RECOVERY);
    CircuitBreaker::builder(settings).clock(move || clock.monotonic()).build()
}
