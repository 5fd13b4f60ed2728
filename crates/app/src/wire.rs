//! The composition root: connects every trait to its implementation.

use crate::account_wiring::AccountWiring;
use crate::context::{AppContext, STORE_WAIT};
use crate::mail::MailService;
use crate::metrics::Metrics;
use crate::page_templates::PageTemplates;
use crate::replicas::{self, SharedRedis};
use crate::settings::{self, Settings, WithoutKeys};
use crate::system::{self, OsEntropy};
use crate::traces::Traces;
use anyhow::Context;
use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, Lanes as HashLanes, PoolSettings, StoredCosts};
use portcullis_diesel::DatabaseUrl;
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
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Lane of store calls. On PostgreSQL its width is the number of connections instead.
const STORE_LANE: LaneSettings =
    LaneSettings { width: 16, queue: STORE_QUEUE, max_wait: STORE_WAIT, deadline: DEADLINE, retry_after: RETRY_SOON };
/// Lane of calls to a remote rate limiter; as wide as its connection pool.
const LIMITS_LANE: LaneSettings = LaneSettings { width: 8, ..STORE_LANE };
/// Maximum number of requests that wait for a connection.
const STORE_QUEUE: usize = 2048;
/// Maximum duration of a store call, waiting included.
const DEADLINE: Duration = Duration::from_secs(9);
/// Duration after which a store call counts as slow and waiting jobs start another one. Only a lock, a
/// slow disk or a slow network makes a call take this long.
const STORE_SLOW: Duration = Duration::from_millis(10);
/// Duration after which a store call counts as stuck: no statement may run this long.
const STORE_STUCK: Duration = Duration::from_secs(8);
/// Maximum wait for a hash thread.
const HASH_WAIT: Duration = Duration::from_secs(2);
/// Time SQLite's writer spins for the next exchange before it sleeps: about the time in which a client on
/// the same network sends its next request.
const SPIN: Duration = Duration::from_micros(100);
/// `Retry-After` for short overloads.
const RETRY_SOON: Duration = Duration::from_secs(1);
/// Recovery timeout of the database circuit. Short, so that users wait little longer than the outage.
const STORE_RECOVERY: Duration = Duration::from_secs(2);

/// Creates the record of stored hash costs, which is still empty.
pub(crate) fn stored_costs(settings: &Settings) -> Arc<StoredCosts> {
    let secret = settings.tokens.secret.expose_secret().as_bytes();
    Arc::new(StoredCosts::new(Arc::new(HmacSigner::derive(secret, "portcullis stand-ins"))))
}

/// Creates the API and starts the email worker.
pub(crate) fn service(
    settings: &Settings,
    parts: &AppContext,
    costs: &Arc<StoredCosts>,
) -> anyhow::Result<(Api, Worker)> {
    let (clock, metrics, traces, sessions) = (parts.clock.clone(), &parts.metrics, &parts.traces, settings.sessions);
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let replicas = SharedRedis::connect(settings, &clock).context("cannot start the Redis thread")?;
    let replicas = replicas.as_ref();
    let circuit = replicas::database_circuit(circuit(), replicas, clock.clone())?;
    let guarded = Arc::new(Breaker::new("database", parts.database.store.clone(), circuit));
    let store = traces.store(metrics.store(guarded.clone())?);
    let (hasher, hashes) = hasher(settings, &entropy, parts, costs)?;
    let (issuer, verifier) = signatures(settings, traces);
    let issuance = Arc::new(TokenFactory { issuer, entropy: entropy.clone(), lifetimes: settings.tokens.lifetimes });
    let limits = Arc::new(replicas::limits(settings, replicas, parts)?);
    let devices = Arc::new(devices(settings.tokens.secret.expose_secret().as_bytes(), entropy.clone(), &clock));
    let renderer = Arc::new(settings.renderer()?);
    let mail_room = MailService::open(settings, entropy, &clock, renderer.clone());
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
    let lanes = Wiring::new(metrics, settings, hashes, replicas.is_some()).lanes(&refresh, &authenticate)?;
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
        pages: Arc::new(PageTemplates(renderer)),
        observer: metrics.requests()?,
        refresh,
        authenticate,
        config: identity(settings),
    };
    Ok((api, mails))
}

/// Lists the circuits for health checks and metrics: the database's and those of optional dependencies.
fn circuits(
    database: Arc<dyn CircuitMonitor>,
    others: [Option<Arc<dyn CircuitMonitor>>; 2],
    metrics: &Metrics,
) -> anyhow::Result<Vec<Arc<dyn CircuitMonitor>>> {
    let circuits: Vec<_> = std::iter::once(database).chain(others.into_iter().flatten()).collect();
    metrics.circuits(&circuits)?;
    Ok(circuits)
}

/// Width and queue length of the lane in front of the hasher. Each running job takes a thread and its
/// memory, so the width is twice the number of hashes computed together: hash threads always find the
/// next jobs waiting.
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

/// Inputs of the lanes.
struct Wiring<'a> {
    metrics: &'a Metrics,
    database: &'a settings::Database,
    hashes: HasherCapacity,
    /// True if rate limits are counted on a remote server.
    limits: bool,
}

impl<'a> Wiring<'a> {
    fn new(metrics: &'a Metrics, settings: &'a Settings, hashes: HasherCapacity, limits: bool) -> Self {
        Self { metrics, database: &settings.database, hashes, limits }
    }

    fn lanes(&self, refresh: &Arc<Refresh>, authenticate: &Arc<Authenticate>) -> anyhow::Result<Lanes> {
        let observers = self.metrics.lanes()?;
        let batches = batches(&self.database.url);
        let (refresh, authenticate) = (refresh.clone(), authenticate.clone());
        let exchanges = BatchLane::start("exchanges", batches, move |exchanges| refresh.exchange(exchanges))
            .context("cannot start the threads of the lane exchanges")?;
        // Spinning gained nothing for reads.
        let reads = BatchSettings { spin: Duration::ZERO, ..batches };
        let accounts = BatchLane::start("accounts", reads, move |inquiries| authenticate.look_up(&inquiries))
            .context("cannot start the threads of the lane accounts")?;
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

/// Returns the token issuer and the token verifier.
fn signatures(settings: &Settings, traces: &Traces) -> (Arc<dyn TokenIssuer>, Arc<dyn TokenVerifier>) {
    (traces.issuer(settings.keys.issuer.clone()), traces.verifier(settings.keys.verifier.clone()))
}

/// Creates the device cookies, which are signed with their own derived key.
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

/// Returns the common-password check, or `None` if it is disabled.
fn blocklist(settings: &WithoutKeys) -> Option<Arc<dyn PasswordBlocklist>> {
    settings.passwords.blocklist.then(|| -> Arc<dyn PasswordBlocklist> { Arc::new(CommonPasswords) })
}

/// Returns the bcrypt cost.
pub(crate) fn cost(settings: &WithoutKeys) -> anyhow::Result<Cost> {
    Cost::new(settings.passwords.bcrypt_cost).context("BCRYPT_COST is out of range")
}

/// Creates the checks for new passwords.
pub(crate) fn screening(settings: &WithoutKeys) -> Arc<PasswordScreening> {
    Arc::new(PasswordScreening { blocklist: blocklist(settings), product: settings.server.app_name.clone() })
}

/// Returns the settings of the database circuit. A probe may take as long as any other call.
fn circuit() -> portcullis_resilience::BreakerSettings {
    portcullis_resilience::BreakerSettings::default().with_recovery_timeout(STORE_RECOVERY).with_probe_timeout(DEADLINE)
}

/// Returns the number of cores that this process may use.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Starts the hash threads. Returns the hasher and its capacity.
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
    let threads = HashThreads::start(bcrypt, pool, parts.clock.clone()).context("cannot start the hash threads")?;
    let (places, waiting, hashes) = (threads.capacity(), threads.waiting(), HasherCapacity::of(&threads));
    tracing::info!(target: "app", lanes = threads.lanes().get().get(), places = places.get(), "Hash threads started");
    let bounded = Bulkhead::new(threads, ConcurrencyLimit::new(places, 0), HASH_WAIT);
    Ok((parts.traces.hasher(parts.metrics.hasher(Arc::new(bounded), waiting)?), hashes))
}

/// Returns the settings of the store lane: as wide as there are PostgreSQL connections. SQLite calls share
/// one writer and a few readers.
fn store_lane(database: &settings::Database) -> LaneSettings {
    match database.url {
        DatabaseUrl::Sqlite(_) => STORE_LANE,
        _ => {
            let width = usize::try_from(database.connections.get()).unwrap_or(STORE_LANE.width);
            LaneSettings { width, ..STORE_LANE }
        }
    }
}

/// Returns the batch settings of the store. SQLite's single writer takes all waiting jobs. On PostgreSQL,
/// spinning threads would take processor time from the server.
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
    use std::num::NonZeroU32;

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
