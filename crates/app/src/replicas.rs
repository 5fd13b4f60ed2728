//! State that replicas share through Redis if `REDIS_URL` is set: rate-limit budgets and the database
//! circuit. While Redis is unavailable, each replica continues with its local state.

use crate::context::AppContext;
use crate::settings::Settings;
use crate::system::OsEntropy;
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

/// Logger name of the service itself.
const LOG: &str = "app";
/// Recovery timeout of the Redis circuit: interval between probes of an unavailable server.
const REDIS_RECOVERY: Duration = Duration::from_secs(1);

/// Connection to the Redis server that replicas share.
pub(crate) struct SharedRedis {
    redis: RedisPool,
    circuit: CircuitBreaker,
}

impl SharedRedis {
    /// Connects to Redis, or returns `None` without `REDIS_URL`. An unreachable server does not stop the
    /// start.
    pub(crate) fn connect(settings: &Settings, clock: &Arc<dyn Clock>) -> std::io::Result<Option<Self>> {
        let Some(url) = &settings.limits.redis else { return Ok(None) };
        let redis = RedisPool::connect(url, clock.clone())?;
        let circuit = redis_circuit(clock.clone(), redis.clone());
        Ok(Some(Self { redis, circuit }))
    }

    /// Returns the circuit around Redis, for health checks.
    pub(crate) fn monitor(&self) -> Arc<dyn CircuitMonitor> {
        Arc::new(Breaker::new("redis", (), self.circuit.clone()))
    }

    /// Creates a rate limiter with shared budgets that falls back to local ones.
    fn limiter(&self, local: Arc<MemoryLimiter>) -> Arc<dyn RateLimiter> {
        let shared = Breaker::new("redis", RedisLimiter::new(self.redis.clone()), self.circuit.clone());
        Arc::new(SharedLimiter::new(shared, local))
    }

    /// Creates the circuit of a dependency, shared with the other replicas.
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

/// Consecutive failures that open the Redis circuit. More than one: a single slow call does not mean
/// that Redis is unavailable.
const REDIS_FAILURES: u32 = 3;

/// Creates the circuit around Redis. Few failures open it, because local limits are the fallback.
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
            // Failed probes in between are not logged.
            _ => {}
        })
        .build()
}

/// Creates the rate limits. Budget keys are hashed with their own derived key.
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

/// Creates the circuit around the database. Logs its state changes.
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
