//! What replicas share, where `REDIS_URL` says so: budgets and the circuit of the database. And
//! what each of them goes on with alone.

use crate::settings::Settings;
use crate::system::OsEntropy;
use crate::wire::AppContext;
use portcullis_domain::health::CircuitState;
use portcullis_hmac::HmacSigner;
use portcullis_memory::MemoryLimiter;
use portcullis_ports::{CircuitMonitor, Clock, EntropyExt, RateLimiter};
use portcullis_redis::{RedisCircuits, RedisLimiter, RedisPool};
use portcullis_resilience::{
    Breaker, BreakerSettings as CircuitSettings, CircuitBreaker, SharedLimiter, SharingSettings, State, share,
};
use portcullis_usecases::limits::Limits;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;

/// The logger of the service itself.
const LOG: &str = "app";
/// A server that was lost is tried again this often: by one call, which may wait for it.
const REDIS_RECOVERY: Duration = Duration::from_secs(1);

/// The server that replicas share.
pub(crate) struct SharedRedis {
    redis: RedisPool,
    circuit: CircuitBreaker,
}

impl SharedRedis {
    /// Connects, where the settings name a server. One that is not there does not stop the start.
    pub(crate) fn connect(settings: &Settings, clock: &Arc<dyn Clock>) -> std::io::Result<Option<Self>> {
        let Some(url) = &settings.limits.redis else { return Ok(None) };
        let redis = RedisPool::connect(url, clock.clone())?;
        let circuit = redis_circuit(clock.clone(), redis.clone());
        Ok(Some(Self { redis, circuit }))
    }

    /// The circuit around the server, for health.
    pub(crate) fn monitor(&self) -> Arc<dyn CircuitMonitor> {
        Arc::new(Breaker::new("redis", (), self.circuit.clone()))
    }

    /// The budgets that all replicas share, and this process's own beside them.
    fn limiter(&self, local: Arc<MemoryLimiter>) -> Arc<dyn RateLimiter> {
        let shared = Breaker::new("redis", RedisLimiter::new(self.redis.clone()), self.circuit.clone());
        Arc::new(SharedLimiter::new(shared, local))
    }

    /// A circuit of a dependency, shared with the other replicas.
    fn share(
        &self,
        builder: portcullis_resilience::breaker::Builder,
        circuit: CircuitSettings,
    ) -> std::io::Result<CircuitBreaker> {
        let board = RedisCircuits::new(self.redis.clone(), OsEntropy.array());
        let board = Arc::new(Breaker::new("redis", board, self.circuit.clone()));
        let (recovery, probe) = (circuit.recovery_timeout(), circuit.probe_timeout());
        share(builder, SharingSettings { circuit: "database", recovery, probe, board })
    }
}

/// How many calls in a row may fail before no other waits. One that is late is no lost server.
const REDIS_FAILURES: u32 = 3;

/// The circuit around the server. There is something to go on with, so few failures open it.
fn redis_circuit(clock: Arc<dyn Clock>, redis: RedisPool) -> CircuitBreaker {
    let settings =
        CircuitSettings::default().with_failure_threshold(REDIS_FAILURES).with_recovery_timeout(REDIS_RECOVERY);
    CircuitBreaker::builder(settings.with_probe_timeout(REDIS_RECOVERY))
        .clock(move || clock.monotonic())
        .on_transition(move |transition| match (transition.from, transition.to) {
            (State::Closed, State::Open) => {
                let reason = redis.last_fault();
                tracing::warn!(
                    target: LOG, reason,
                    "Redis is lost: this replica goes on with limits and circuits of its own"
                );
            }
            (_, State::Closed) => tracing::warn!(target: LOG, "Redis is back: limits and circuits are shared again"),
            // Tries in between are nobody's news.
            _ => {}
        })
        .build()
}

/// The budgets. Their keys are hashed under a key of their own.
pub(crate) fn limits(
    settings: &Settings,
    replicas: Option<&SharedRedis>,
    parts: &AppContext,
) -> anyhow::Result<Limits> {
    let Some(rules) = settings.limits.rules else { return Ok(Limits::off()) };
    let secret = settings.tokens.secret.expose_secret().as_bytes();
    let authenticator = Arc::new(HmacSigner::derive(secret, "portcullis limits"));
    let local = Arc::new(MemoryLimiter::new(MemoryLimiter::DEFAULT_CAPACITY, parts.clock.clone()));
    let watched = |limiter| anyhow::Ok(parts.traces.limiter(parts.metrics.limiter(limiter)?));
    Ok(match replicas {
        Some(replicas) => {
            let shared = watched(replicas.limiter(local.clone()))?;
            Limits::new(shared, authenticator, rules).with_local(local)
        }
        None => Limits::new(watched(local)?, authenticator, rules),
    })
}

/// The circuit around the database. Its changes are told in the log.
pub(crate) fn database_circuit(
    settings: CircuitSettings,
    replicas: Option<&SharedRedis>,
    clock: Arc<dyn Clock>,
) -> std::io::Result<CircuitBreaker> {
    let builder = CircuitBreaker::builder(settings).clock(move || clock.monotonic()).on_transition(|transition| {
        let (from, to) = (CircuitState::from(transition.from).as_str(), CircuitState::from(transition.to).as_str());
        let elsewhere = transition.commanded;
        tracing::warn!(target: LOG, circuit = "database", from, to, elsewhere, "Circuit changed");
    });
    match replicas {
        Some(replicas) => replicas.share(builder, settings),
        None => Ok(builder.build()),
    }
}
