//! The composition root: every trait meets its implementation here, and generics end here.

use crate::account_wiring::AccountWiring;
use crate::mail::MailService;
use crate::metrics::Metrics;
use crate::replicas::{self, SharedRedis};
use crate::settings::{self, Settings, WithoutKeys};
use crate::system::{self, OsEntropy, SystemClock};
use crate::traces::Traces;
use anyhow::Context;
use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, Lanes as HashLanes, PoolSettings, StoredCosts};
use portcullis_diesel::{Database, DatabaseUrl, StoreOptions};
use portcullis_domain::sessions::SessionPolicy;
use portcullis_hmac::HmacSigner;
use portcullis_http::{
    AccountPages, Api, BatchLane, BatchSettings, HttpConfig, Lane, LaneSettings, Lanes, SessionUseCases,
};
use portcullis_ports::{
    CircuitMonitor, Clock, Entropy, PasswordBlocklist, PasswordHasher, Store, TokenIssuer, TokenVerifier,
};
use portcullis_resilience::{Breaker, Bulkhead, ConcurrencyLimit};
use portcullis_usecases::health::CheckReadiness;
use portcullis_usecases::limits::DeviceCookies;
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::sessions::{ListSessions, LogOut, LogOutAll, ReadTimeline, RevokeSession};
use portcullis_usecases::tokens::{Authenticate, Refresh, TokenFactory};
use portcullis_worker::Worker;
use portcullis_zxcvbn::CommonPasswords;
use secrecy::ExposeSecret;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

/// Connections that read an SQLite file: each takes memory, and a read takes microseconds.
const READERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
/// On PostgreSQL its width is the number of connections.
const STORE_LANE: LaneSettings =
    LaneSettings { width: 16, queue: STORE_QUEUE, max_wait: STORE_WAIT, deadline: DEADLINE, retry_after: RETRY_SOON };
/// To a limiter beyond a network: as many as it has connections. A call there takes moments.
const LIMITS_LANE: LaneSettings = LaneSettings { width: 8, ..STORE_LANE };
/// Requests that may wait for a connection.
const STORE_QUEUE: usize = 2048;
/// A caller waits this long at most: for a connection or a lock, and in all.
const STORE_WAIT: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(9);
/// A call of the store that takes longer is not waited for by those who would go into the next:
/// it takes a moment, but where a lock, the disk or the network is slow.
const STORE_SLOW: Duration = Duration::from_millis(10);
/// A call of the store that takes longer is not coming back: every statement has a time limit.
const STORE_STUCK: Duration = Duration::from_secs(8);
/// The work that may wait for the hash threads, in time.
const HASH_WAIT: Duration = Duration::from_secs(2);
/// How long SQLite's writer looks for the next exchange before it sleeps. A client on the same
/// network needs about that long to send what follows its answer.
const SPIN: Duration = Duration::from_micros(100);
/// What callers are told to wait where the work of a moment is in the way.
const RETRY_SOON: Duration = Duration::from_secs(1);
/// A database that was gone is looked for this often: its users should not wait much longer than
/// it was away.
const STORE_RECOVERY: Duration = Duration::from_secs(2);

/// What the process as a whole shares.
pub(crate) struct AppContext {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) database: Database,
    pub(crate) metrics: Metrics,
    /// None until there is somebody who sends them.
    pub(crate) traces: Traces,
}

/// Opens what the settings name. A PostgreSQL server is not spoken to yet.
pub(crate) fn open(settings: &WithoutKeys) -> anyhow::Result<AppContext> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let database = database(settings, &clock)?;
    let metrics = Metrics::new(settings.metrics.metrics, &clock)?;
    metrics.database(&database)?;
    Ok(AppContext { clock, database, metrics, traces: Traces::default() })
}

/// What stored password hashes cost: nothing is known yet.
pub(crate) fn stored_costs(settings: &Settings) -> Arc<StoredCosts> {
    let secret = settings.tokens.secret.expose_secret().as_bytes();
    Arc::new(StoredCosts::new(Arc::new(HmacSigner::derive(secret, "portcullis stand-ins"))))
}

/// Opens the database alone.
pub(crate) fn database(settings: &WithoutKeys, clock: &Arc<dyn Clock>) -> anyhow::Result<Database> {
    let url = &settings.database.url;
    let connections = if matches!(url, DatabaseUrl::Sqlite(_)) { READERS } else { settings.database.connections };
    let options = StoreOptions { connections, wait: STORE_WAIT, log_statements: settings.server.debug };
    Database::open(url, &options, clock.clone()).context("DATABASE_URL")
}

/// Puts the service together: what answers requests, and what sends mails beside them.
pub(crate) fn service(
    settings: &Settings,
    parts: &AppContext,
    costs: &Arc<StoredCosts>,
) -> anyhow::Result<(Api, Worker)> {
    let (clock, metrics, traces) = (parts.clock.clone(), &parts.metrics, &parts.traces);
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let replicas = SharedRedis::connect(settings, &clock).context("no thread for Redis")?;
    let replicas = replicas.as_ref();
    let circuit = replicas::database_circuit(circuit(), replicas, clock.clone())?;
    let guarded = Arc::new(Breaker::new("database", parts.database.store.clone(), circuit));
    let store = traces.store(metrics.store(guarded.clone())?);
    let (hasher, hashes) = hasher(settings, &entropy, parts, costs)?;
    let (issuer, verifier) = signatures(settings, traces);
    let (lifetimes, sessions) = (settings.tokens.lifetimes, settings.sessions);
    let issuance = Arc::new(TokenFactory { issuer, entropy: entropy.clone(), lifetimes });
    let limits = Arc::new(replicas::limits(settings, replicas, parts)?);
    let devices = Arc::new(devices(settings.tokens.secret.expose_secret().as_bytes(), entropy.clone(), &clock));
    let mail_room = MailService::open(settings, entropy, &clock)?;
    let owners = AccountWiring {
        store: store.clone(),
        hasher,
        screening: screening(settings),
        limits: limits.clone(),
        devices,
        outbox: mail_room.outbox.clone(),
        clock: clock.clone(),
    };
    let refresh = Arc::new(Refresh {
        store: store.clone(),
        verifier: verifier.clone(),
        issuance: issuance.clone(),
        policy: settings.tokens.refresh,
        sessions,
        outbox: mail_room.outbox.clone(),
        observer: metrics.verdicts()?,
        require_verified_email: settings.mail.require_verified,
        clock: clock.clone(),
    });
    let authenticate =
        Arc::new(Authenticate { store: store.clone(), verifier: verifier.clone(), sessions, clock: clock.clone() });
    let (shared, mail) = (replicas.map(SharedRedis::monitor), Some(mail_room.circuit.clone()));
    let circuits = circuits(guarded, [shared.clone(), mail.clone()], metrics)?;
    let lanes = Wiring { metrics, database: &settings.database, hashes, limits: replicas.is_some() };
    let lanes = lanes.lanes(&refresh, &authenticate)?;
    let mails = mail_room.start(settings, parts, store.clone(), limits.clone())?;
    let api = Api {
        register: owners.register(),
        log_in: owners.log_in(issuance, sessions, settings.mail.require_verified),
        delete_own_account: owners.delete_own_account(),
        recovery: owners.recovery(),
        verification: owners.verification(),
        log_out: LogOut { store: store.clone(), verifier, clock: clock.clone() },
        sessions: own_sessions(&store, sessions, &clock),
        readiness: CheckReadiness { store, circuits, shared, mail, limits: limits.clone(), clock },
        limits,
        public_keys: settings.keys.verifier.public_keys(),
        passwords: settings.passwords.policy,
        lanes,
        observer: metrics.requests()?,
        refresh,
        authenticate,
        config: identity(settings),
    };
    Ok((api, mails))
}

/// The circuits that are told of: the database's, and those of what there may be besides.
fn circuits(
    database: Arc<dyn CircuitMonitor>,
    others: [Option<Arc<dyn CircuitMonitor>>; 2],
    metrics: &Metrics,
) -> anyhow::Result<Vec<Arc<dyn CircuitMonitor>>> {
    let circuits: Vec<_> = std::iter::once(database).chain(others.into_iter().flatten()).collect();
    metrics.circuits(&circuits)?;
    Ok(circuits)
}

/// Who may be at the hasher at once, and who may wait to be. A caller at the hasher has a thread of
/// its own, and with it memory: there are as many as are hashed together, and as many again, so
/// that every hash thread finds the next ones waiting.
#[derive(Clone, Copy)]
struct HasherCapacity {
    width: usize,
    queue: usize,
}

impl HasherCapacity {
    fn of(threads: &HashThreads) -> Self {
        let together = cores().get().saturating_mul(threads.lanes().get().get());
        let width = threads.capacity().get().min(together.saturating_mul(2));
        Self { width, queue: threads.capacity().get().saturating_sub(width) }
    }
}

/// What the lanes are made by.
struct Wiring<'a> {
    metrics: &'a Metrics,
    database: &'a settings::Database,
    hashes: HasherCapacity,
    /// Whether limits are counted beyond a network.
    limits: bool,
}

impl Wiring<'_> {
    fn lanes(&self, refresh: &Arc<Refresh>, authenticate: &Arc<Authenticate>) -> anyhow::Result<Lanes> {
        let observers = self.metrics.lanes()?;
        let batches = batches(&self.database.url);
        let (refresh, authenticate) = (refresh.clone(), authenticate.clone());
        let exchanges = BatchLane::start("exchanges", batches, move |exchanges| refresh.exchange(exchanges))
            .context("no thread for exchanges")?;
        // Reads gained nothing from it.
        let reads = BatchSettings { spin: Duration::ZERO, ..batches };
        let accounts = BatchLane::start("accounts", reads, move |inquiries| authenticate.look_up(&inquiries))
            .context("no thread for accounts")?;
        let HasherCapacity { width, queue } = self.hashes;
        let crypto = LaneSettings { width, queue, max_wait: HASH_WAIT, retry_after: HASH_WAIT, ..STORE_LANE };
        let lanes = Lanes {
            store: Lane::new(store_lane(self.database)).with_name("store").with_observer(observers.store),
            crypto: Lane::new(crypto).with_name("crypto").with_observer(observers.crypto),
            limits: self.limits.then(|| Lane::new(LIMITS_LANE).with_name("limits").with_observer(observers.limits)),
            exchanges: exchanges.with_observer(observers.exchanges),
            accounts: accounts.with_observer(observers.accounts),
        };
        self.metrics.lane("store", lanes.store.load())?;
        self.metrics.lane("crypto", lanes.crypto.load())?;
        lanes.limits.iter().try_for_each(|lane| self.metrics.lane("limits", lane.load()))?;
        self.metrics.lane("exchanges", lanes.exchanges.load())?;
        self.metrics.lane("accounts", lanes.accounts.load())?;
        Ok(lanes)
    }
}

/// What signs tokens and what reads them.
fn signatures(settings: &Settings, traces: &Traces) -> (Arc<dyn TokenIssuer>, Arc<dyn TokenVerifier>) {
    (traces.issuer(settings.keys.issuer.clone()), traces.verifier(settings.keys.verifier.clone()))
}

/// The devices that accounts know. Their cookies are signed under a key of their own.
fn devices(secret: &[u8], entropy: Arc<dyn Entropy>, clock: &Arc<dyn Clock>) -> DeviceCookies {
    let authenticator = Arc::new(HmacSigner::derive(secret, "portcullis devices"));
    DeviceCookies { authenticator, entropy, clock: clock.clone() }
}

fn identity(settings: &Settings) -> HttpConfig {
    let (links, public_url) = (&settings.mail.links, &settings.mail.public_url);
    let is_own = |link: &str, page: &str| link.starts_with(&format!("{public_url}{page}?"));
    let (verify, reset) = (is_own(&links.verify, "/account/verify"), is_own(&links.reset, "/account/reset"));
    HttpConfig {
        account_pages: AccountPages { verify, reset },
        app_name: settings.server.app_name.clone(),
        public_origin: settings.mail.public_origin.clone(),
        cors_origins: settings.server.cors_origins.clone(),
        proxies: settings.limits.proxies.clone(),
        forwarded: settings.limits.forwarded,
        hsts_seconds: if settings.mail.public_origin.starts_with("https://") {
            settings.server.hsts_seconds
        } else {
            0
        },
        random: system::random_request_id,
    }
}

fn own_sessions(store: &Arc<dyn Store>, sessions: SessionPolicy, clock: &Arc<dyn Clock>) -> SessionUseCases {
    SessionUseCases {
        list: ListSessions { store: store.clone(), sessions, clock: clock.clone() },
        revoke: RevokeSession { store: store.clone(), clock: clock.clone() },
        log_out_all: LogOutAll { store: store.clone(), clock: clock.clone() },
        timeline: ReadTimeline { store: store.clone() },
    }
}

/// What refuses common passwords, if the settings want it.
fn blocklist(settings: &WithoutKeys) -> Option<Arc<dyn PasswordBlocklist>> {
    settings.passwords.blocklist.then(|| -> Arc<dyn PasswordBlocklist> { Arc::new(CommonPasswords) })
}

/// What a hash costs.
pub(crate) fn cost(settings: &WithoutKeys) -> anyhow::Result<Cost> {
    Cost::new(settings.passwords.bcrypt_cost).context("BCRYPT_COST is out of range")
}

/// What new passwords are held against.
pub(crate) fn screening(settings: &WithoutKeys) -> Arc<PasswordScreening> {
    Arc::new(PasswordScreening { blocklist: blocklist(settings), product: settings.server.app_name.clone() })
}

/// When the circuit around the database opens, and how it is probed: nobody waits for a probe any
/// longer than for any other call.
fn circuit() -> portcullis_resilience::BreakerSettings {
    portcullis_resilience::BreakerSettings::default().with_recovery_timeout(STORE_RECOVERY).with_probe_timeout(DEADLINE)
}

/// The cores that this process may use.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The hasher, and how many of its callers there may be at once.
fn hasher(
    settings: &Settings,
    entropy: &Arc<dyn Entropy>,
    parts: &AppContext,
    costs: &Arc<StoredCosts>,
) -> anyhow::Result<(Arc<dyn PasswordHasher>, HasherCapacity)> {
    let cost = cost(settings)?;
    let lanes = settings.passwords.hash_lanes.and_then(HashLanes::new);
    let pool = PoolSettings { threads: cores(), lanes, wait: HASH_WAIT, on_start: system::lower_thread_priority };
    let bcrypt = BcryptHasher::new(cost, entropy.clone()).with_stored_costs(costs.clone());
    let threads = HashThreads::start(bcrypt, pool, parts.clock.clone()).context("no thread for hashes")?;
    let (places, waiting, hashes) = (threads.capacity(), threads.waiting(), HasherCapacity::of(&threads));
    tracing::info!(target: "app", lanes = threads.lanes().get().get(), places = places.get(), "Hash threads started");
    let bounded = Bulkhead::new(threads, ConcurrencyLimit::new(places, 0), HASH_WAIT);
    Ok((parts.traces.hasher(parts.metrics.hasher(Arc::new(bounded), waiting)?), hashes))
}

/// As many at once as there are connections. SQLite's calls share a writer and a few readers.
fn store_lane(database: &settings::Database) -> LaneSettings {
    match database.url {
        DatabaseUrl::Sqlite(_) => STORE_LANE,
        _ => {
            let width = usize::try_from(database.connections.get()).unwrap_or(STORE_LANE.width);
            LaneSettings { width, ..STORE_LANE }
        }
    }
}

/// How much goes together to the store. SQLite has one writer, which takes all that wait. A thread
/// that lingers is in PostgreSQL's way.
fn batches(url: &DatabaseUrl) -> BatchSettings {
    let (width, batch, linger) = match url {
        DatabaseUrl::Sqlite(_) => (1, 256, SPIN),
        _ => (2, 64, Duration::ZERO),
    };
    let (slow_after, stuck_after) = (STORE_SLOW, STORE_STUCK);
    let (queue, max_wait) = (STORE_QUEUE, STORE_WAIT);
    BatchSettings { width, batch, slow_after, queue, max_wait, stuck_after, spin: linger, retry_after: RETRY_SOON }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_lane_is_as_wide_as_the_connections_to_postgresql() {
        let width = |url: &str, connections: u32| {
            let (url, connections) = (DatabaseUrl::parse(url).unwrap(), NonZeroU32::new(connections).unwrap());
            store_lane(&settings::Database { url, connections, auto_migrate: true, purge_interval: None }).width
        };
        assert_eq!((width("postgres://h/db", 1), width("postgres://h/db", 40)), (1, 40));
        assert_eq!(width("sqlite:///app.db", 40), 16);
    }
}
