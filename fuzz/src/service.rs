//! The service in this process on a loopback socket, without slow hashing and without a database. No
//! request changes stored data, so the result of an input does not depend on earlier ones.

use crate::settings::{gather, secret};
use chrono::{DateTime, Utc};
use portcullis_app::settings::Settings;
use portcullis_app::wire::{self, Adapters, Base, Operation};
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, UserId};
use portcullis_domain::tokens::{Claims, Jti, RefreshToken, TokenLifetimes};
use portcullis_http::{Api, ServerSettings};
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier};
use portcullis_ports::{StoreExt, TokenIssuer, TxOutcome};
use portcullis_testkit::{FixedClock, MemoryStore, PlainHasher, PlainSealer, PlainTotp, SeededEntropy, Watched};
use portcullis_usecases::limits::Limits;
use portcullis_webauthn::WebauthnVerifier;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

/// Email of the only account.
pub(crate) const EMAIL: &str = "ada@example.org";
pub(crate) const PASSWORD: &str = "correct horse";

const SECRET: &[u8] = &[7; 32];
const ALGORITHM: Algorithm = Algorithm::Hs256;
const ADA: UserId = UserId::new(1);
const SETTINGS: [(&str, &str); 2] =
    [("PUBLIC_URL", "https://id.example.org"), ("CORS_ORIGINS", "https://app.example.org")];

/// A running service.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    /// Tokens of the account. They never expire, since the clock is fixed.
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// Returns the only service of the process. Starts it on first use.
pub(crate) fn service() -> &'static Service {
    static SERVICE: LazyLock<Service> = LazyLock::new(start);
    &SERVICE
}

fn start() -> Service {
    let issuer = JwtIssuer::with_secret(ALGORITHM, SECRET).expect("a key");
    let (lifetimes, jti) = (TokenLifetimes::default(), Jti::from_random([7; 16]));
    let access_token = issuer.sign(&Claims::Access(lifetimes.access(ADA, jti, now()))).expect("a token");
    let refresh_token = issuer.sign(&Claims::Refresh(lifetimes.refresh(ADA, jti, now()))).expect("a token");
    let api = api(Arc::new(issuer), &RefreshToken::new(jti, ADA, now(), lifetimes.refresh));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let settings = ServerSettings {
                workers: 1,
                max_connections: 1000,
                keep_alive: Duration::from_secs(75),
                proxy_protocol: false,
                shutdown_timeout: Duration::ZERO,
            };
            let listener = portcullis_http::bind(("127.0.0.1", 0)).expect("a port");
            let (server, running) = portcullis_http::start(api, listener, settings).expect("threads");
            tell.send(running.address).expect("somebody waits");
            server.await.expect("it serves");
        });
    });
    Service { address: told.recv().expect("it listens"), access_token, refresh_token }
}

fn api(issuer: Arc<JwtIssuer>, token: &RefreshToken) -> Api {
    let secret = secret();
    let environment: Vec<_> = SETTINGS.into_iter().chain([("SECRET_KEY", secret.as_str())]).collect();
    let settings = Settings::read(&gather(&environment, "").expect("settings")).expect("settings");
    let adapters = Adapters {
        store: Arc::new(forgetful(token)),
        // A target half-closes its connection, which cancels the request.
        hasher: Arc::new(PlainHasher { ignores_cancellation: true, ..PlainHasher::default() }),
        issuer,
        verifier: Arc::new(JwtVerifier::with_secret(ALGORITHM, SECRET).expect("a key")),
        sealer: Arc::new(PlainSealer),
        totp: Arc::new(PlainTotp),
        passkeys: Arc::new(WebauthnVerifier),
        second_factors: Arc::new(()),
        limits: Arc::new(Limits::off()),
        outbox: Arc::new(()),
        entropy: Arc::new(SeededEntropy::new(1)),
        clock: Arc::new(FixedClock::at(now())),
    };
    let base = Base::new(&settings, adapters).expect("templates");
    let mut api = wire::api(&settings, &base, Operation::default()).expect("threads");
    api.config.random = || [7; 16];
    api
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_356_284, 0).expect("a time")
}

/// Creates a store with one account and one token that rolls back every write.
fn forgetful(token: &RefreshToken) -> Watched<MemoryStore> {
    let store = MemoryStore::new();
    let email = EmailAddress::from_stored(EMAIL.to_owned());
    let credentials = Credentials::from_hash(PasswordHash::new(format!("new:{PASSWORD}")));
    store.adopt(NewUser { email, credentials, created_at: now(), verified_at: None });
    store.write(|tx| tx.refresh_tokens().insert(token)).expect("a token of an account");
    Watched::new(store, |call| call.run_and_end(&mut |_| Ok(TxOutcome::Rollback)))
}
