//! State that replicas share through Redis if `REDIS_URL` is set: rate-limit budgets and the database
//! circuit. While Redis is unavailable, each replica continues with its local state.

use super::base::signer;
use super::{AppContext, circuits};
use crate::settings::Settings;
use crate::system::OsEntropy;
use portcullis_memory::MemoryLimiter;
use portcullis_ports::{CircuitMonitor, Clock, EntropyExt, RateLimiter};
use portcullis_redis::{RedisCircuits, RedisLimiter, RedisPool};
use portcullis_resilience::{Breaker, BreakerSettings, Builder, CircuitBreaker, SharedLimiter, SharingSettings, share};
use portcullis_usecases::limits::Limits;
use std::sync::Arc;

/// Connection to the Redis server that replicas share.
pub(super) struct SharedRedis {
    redis: RedisPool,
    circuit: CircuitBreaker,
}

impl SharedRedis {
    /// Connects to Redis, or returns `None` without `REDIS_URL`. An unreachable server does not stop the
    /// start.
    pub(super) fn connect(settings: &Settings, clock: &Arc<dyn Clock>) -> std::io::Result<Option<Self>> {
        let Some(url) = &settings.limits.redis else { return Ok(None) };
        let redis = RedisPool::connect(url, clock.clone())?;
        let circuit = circuits::redis(redis.clone(), clock);
        Ok(Some(Self { redis, circuit }))
    }

    /// Returns the circuit around Redis, for health checks.
    pub(super) fn monitor(&self) -> Arc<dyn CircuitMonitor> {
        Arc::new(Breaker::new("redis", (), self.circuit.clone()))
    }

    /// Creates a rate limiter with shared budgets that falls back to local ones.
    fn limiter(&self, local: Arc<MemoryLimiter>) -> Arc<dyn RateLimiter> {
        let shared = Breaker::new("redis", RedisLimiter::new(self.redis.clone()), self.circuit.clone());
        Arc::new(SharedLimiter::new(shared, local))
    }

    /// Creates the database circuit, shared with the other replicas.
    pub(super) fn share(&self, builder: Builder, circuit: BreakerSettings) -> std::io::Result<CircuitBreaker> {
        let board = RedisCircuits::new(self.redis.clone(), OsEntropy.array());
        let board = Arc::new(Breaker::new("redis", board, self.circuit.clone()));
        let (recovery, probe) = (circuit.recovery_timeout(), circuit.call_timeout());
        share(builder, SharingSettings { circuit: "database", recovery, probe, board })
    }
}

/// Creates the rate limits. Budget keys are hashed with their own derived key.
pub(super) fn limits(
    settings: &Settings,
    replicas: Option<&SharedRedis>,
    parts: &AppContext,
) -> anyhow::Result<Limits> {
    let Some(rules) = settings.limits.rules else { return Ok(Limits::off()) };
    let authenticator = signer(settings, "portcullis limits");
    let local = Arc::new(MemoryLimiter::new(MemoryLimiter::DEFAULT_CAPACITY, parts.clock.clone()));
    let watched = |limiter| anyhow::Ok(parts.traces.limiter(parts.metrics.limiter(limiter)?));
    Ok(match replicas {
        Some(replicas) => {
            let redis = replicas.redis.clone();
            parts.metrics.redis(move || redis.failures())?;
            let shared = watched(replicas.limiter(local.clone()))?;
            Limits::new(shared, authenticator, rules).with_local(local)
        }
        None => Limits::new(watched(local)?, authenticator, rules),
    })
}
