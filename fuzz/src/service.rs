//! The service in this process on a loopback socket, without slow hashing and without a database. No
//! request changes stored data, so the result of an input does not depend on earlier ones.

use crate::account_wiring::AccountWiring;
use crate::page_templates::PageTemplates;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, PasswordPolicy, UserId};
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::{Jti, RefreshPolicy, RefreshToken, TokenLifetimes};
use portcullis_hmac::HmacSigner;
use portcullis_http::{
    Api, BatchLane, BatchSettings, ForwardedHeader, HttpConfig, Lane, LaneSettings, Lanes, ServerSettings,
    SessionUseCases, TrustedProxies,
};
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier};
use portcullis_minijinja::MinijinjaRenderer;
use portcullis_ports::{Store, StoreExt, TokenIssuer, TxOutcome};
use portcullis_testkit::{FixedClock, MemoryStore, PlainHasher, SeededEntropy, Watched};
use portcullis_usecases::health::CheckReadiness;
use portcullis_usecases::limits::{DeviceCookies, Limits};
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::sessions::{ListSessions, LogOut, LogOutAll, ReadTimeline, RevokeSession};
use portcullis_usecases::tokens::{Authenticate, Refresh, TokenFactory};
use portcullis_usecases::verification::OneTimeTokens;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

/// Email of the only account.
pub(crate) const EMAIL: &str = "ada@example.org";
pub(crate) const PASSWORD: &str = "correct horse";

const SECRET: &[u8] = &[7; 32];
const ALGORITHM: Algorithm = Algorithm::Hs256;
const ADA: UserId = UserId::new(1);
const LANE: LaneSettings = LaneSettings {
    width: 4,
    queue: 64,
    max_wait: Duration::from_secs(5),
    deadline: Duration::from_secs(9),
    retry_after: Duration::from_secs(1),
};
const BATCHES: BatchSettings = BatchSettings {
    width: 1,
    batch: 64,
    slow_after: Duration::from_millis(10),
    queue: 64,
    max_wait: LANE.max_wait,
    stuck_after: LANE.deadline,
    spin: Duration::ZERO,
    retry_after: LANE.retry_after,
};

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
    let access_token = issuer.sign_access(&lifetimes.access(ADA, jti, now())).expect("a token");
    let refresh_token = issuer.sign_refresh(&lifetimes.refresh(ADA, jti, now())).expect("a token");
    let api = api(Arc::new(issuer), &RefreshToken::new(jti, ADA, now(), lifetimes.refresh));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let settings = ServerSettings { workers: 1, max_connections: 1000, shutdown_timeout: Duration::ZERO };
            let listener = portcullis_http::bind(("127.0.0.1", 0)).expect("a port");
            let (server, running) = portcullis_http::start(api, listener, settings).expect("threads");
            tell.send(running.address).expect("somebody waits");
            server.await.expect("it serves");
        });
    });
    Service { address: told.recv().expect("it listens"), access_token, refresh_token }
}

fn api(issuer: Arc<JwtIssuer>, token: &RefreshToken) -> Api {
    let clock = Arc::new(FixedClock::at(now()));
    let store: Arc<dyn Store> = Arc::new(forgetful(token));
    let verifier = Arc::new(JwtVerifier::with_secret(ALGORITHM, SECRET).expect("a key"));
    let entropy = Arc::new(SeededEntropy::new(1));
    let issuance = Arc::new(TokenFactory { issuer, entropy: entropy.clone(), lifetimes: TokenLifetimes::default() });
    // A target half-closes its connection, which cancels the request.
    let hasher = Arc::new(PlainHasher { ignores_cancellation: true, ..PlainHasher::default() });
    let policy = RefreshPolicy::STRICT;
    let limits = Arc::new(Limits::off());
    let authenticator = Arc::new(HmacSigner::derive(SECRET, "devices"));
    let devices = Arc::new(DeviceCookies { authenticator, entropy: entropy.clone(), clock: clock.clone() });
    let outbox = outbox(entropy);
    let screening = Arc::new(PasswordScreening { blocklist: None, product: "Portcullis".to_owned() });
    let owners = AccountWiring {
        store: store.clone(),
        hasher,
        screening,
        limits: limits.clone(),
        devices,
        outbox: outbox.clone(),
        clock: clock.clone(),
    };
    let sessions = SessionPolicy::default();
    let refresh = Arc::new(Refresh {
        store: store.clone(),
        verifier: verifier.clone(),
        issuance: issuance.clone(),
        policy,
        sessions,
        outbox,
        observer: Arc::new(()),
        require_verified_email: false,
        clock: clock.clone(),
    });
    let authenticate =
        Arc::new(Authenticate { store: store.clone(), verifier: verifier.clone(), sessions, clock: clock.clone() });
    Api {
        register: owners.register(),
        log_in: owners.log_in(issuance, sessions, false),
        delete_own_account: owners.delete_own_account(),
        recovery: owners.recovery(),
        verification: owners.verification(),
        lanes: lanes(&refresh, &authenticate),
        refresh,
        log_out: LogOut { store: store.clone(), verifier, clock: clock.clone() },
        sessions: own_sessions(&store, &clock),
        authenticate,
        readiness: CheckReadiness {
            store,
            circuits: Vec::new(),
            shared: None,
            mail: None,
            limits: limits.clone(),
            clock,
        },
        limits,
        public_keys: Vec::new(),
        passwords: PasswordPolicy::default(),
        pages: pages(),
        observer: None,
        config: identity(),
    }
}

fn pages() -> Arc<PageTemplates> {
    let renderer = MinijinjaRenderer::new("Portcullis", &PasswordPolicy::default(), None).expect("templates");
    Arc::new(PageTemplates(Arc::new(renderer)))
}

fn outbox(entropy: Arc<SeededEntropy>) -> Arc<Outbox> {
    let authenticator = Arc::new(HmacSigner::derive(SECRET, "one-time tokens"));
    let tokens = Arc::new(OneTimeTokens { authenticator, entropy });
    Arc::new(Outbox { tokens, notices: Notices::default(), observer: Arc::new(()) })
}

fn own_sessions(store: &Arc<dyn Store>, clock: &Arc<FixedClock>) -> SessionUseCases {
    SessionUseCases {
        list: ListSessions { store: store.clone(), sessions: SessionPolicy::default(), clock: clock.clone() },
        revoke: RevokeSession { store: store.clone(), clock: clock.clone() },
        log_out_all: LogOutAll { store: store.clone(), clock: clock.clone() },
        timeline: ReadTimeline { store: store.clone() },
    }
}

fn identity() -> HttpConfig {
    HttpConfig {
        account_pages: portcullis_http::AccountPages { verify: true, reset: true },
        app_name: "Portcullis".to_owned(),
        public_origin: "https://id.example.org".to_owned(),
        cors_origins: vec!["https://app.example.org".to_owned()],
        proxies: TrustedProxies::default(),
        forwarded: ForwardedHeader::default(),
        hsts_seconds: 0,
        random: || [7; 16],
    }
}

fn lanes(refresh: &Arc<Refresh>, authenticate: &Arc<Authenticate>) -> Lanes {
    let (refresh, authenticate) = (refresh.clone(), authenticate.clone());
    Lanes {
        store: Lane::new(LANE),
        crypto: Lane::new(LANE),
        limits: None,
        exchanges: BatchLane::start("exchanges", BATCHES, move |jobs| refresh.exchange(jobs)).expect("threads"),
        accounts: BatchLane::start("accounts", BATCHES, move |jobs| authenticate.look_up(&jobs)).expect("threads"),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_356_284, 0).expect("a time")
}

/// Creates a store with one account and one token that rolls back every write.
fn forgetful(token: &RefreshToken) -> Watched<MemoryStore> {
    let store = MemoryStore::new();
    let email = EmailAddress::from_stored(EMAIL.to_owned());
    let password = PasswordHash::new(format!("new:{PASSWORD}"));
    store.adopt(NewUser { email, password, created_at: now() });
    store.write(|tx| tx.refresh_tokens().insert(token)).expect("a token of an account");
    Watched::new(store, |call| call.run_and_end(&mut |_| Ok(TxOutcome::Rollback)))
}
