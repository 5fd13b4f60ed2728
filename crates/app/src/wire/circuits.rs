//! Wires the circuit breakers around the database, Redis, the mail server and identity providers.

use super::lanes::DEADLINE;
use super::replicas::SharedRedis;
use portcullis_domain::health::CircuitState;
use portcullis_ports::Clock;
use portcullis_redis::RedisPool;
use portcullis_resilience::{BreakerSettings, Builder, CircuitBreaker, State, Transition};
use std::sync::Arc;
use std::time::Duration;

/// Name of the circuit of the database's writes.
pub(super) const DATABASE_WRITES: &str = "database_writes";
/// Recovery timeout of the database circuits. Short, so that users wait little longer than the outage.
const STORE_RECOVERY: Duration = Duration::from_secs(2);
/// Recovery timeout of the Redis circuit: interval between probes of an unavailable server.
const REDIS_RECOVERY: Duration = Duration::from_secs(1);
/// Consecutive failures that open the Redis circuit. Few, because local limits are the fallback. More than
/// one: a single slow call does not mean that Redis is unavailable.
const REDIS_FAILURES: u32 = 3;
/// Recovery timeout of the mail circuit: interval between probes of an unavailable mail server.
const MAIL_RECOVERY: Duration = Duration::from_secs(15);
/// Call timeout of the mail circuit. Longer than a delivery can take by its own time limits.
const MAIL_CALL: Duration = Duration::from_secs(85);

/// Recovery timeout of a provider's circuit: interval between sign-ins that wait for an unavailable provider.
const PROVIDER_RECOVERY: Duration = Duration::from_secs(15);
/// Call timeout of a provider's circuit. Longer than a call can take by its own time limits.
const PROVIDER_CALL: Duration = Duration::from_secs(6);

/// Creates the circuit around the database, shared with other replicas if there is a Redis server. Logs its
/// state changes.
pub(super) fn database(replicas: Option<&SharedRedis>, clock: &Arc<dyn Clock>) -> std::io::Result<CircuitBreaker> {
    let (settings, builder) = store("database", clock);
    match replicas {
        Some(replicas) => replicas.share(builder, settings),
        None => Ok(builder.build()),
    }
}

/// Creates the circuit of the database's writes. Logs its state changes. Not shared with other replicas: one of
/// them may be connected to a standby.
pub(super) fn database_writes(clock: &Arc<dyn Clock>) -> CircuitBreaker {
    store(DATABASE_WRITES, clock).1.build()
}

fn store(circuit: &'static str, clock: &Arc<dyn Clock>) -> (BreakerSettings, Builder) {
    // After this time, a caller has got its response without the call's.
    let settings = BreakerSettings::default().with_recovery_timeout(STORE_RECOVERY).with_call_timeout(DEADLINE);
    let builder = builder(settings, clock).on_transition(move |transition| {
        let (Change { from, to, cause, after_ms }, elsewhere) = (Change::of(transition), transition.commanded);
        tracing::warn!(target: "app", circuit, from, to, elsewhere, cause, after_ms, "Circuit changed");
    });
    (settings, builder)
}

/// Creates the circuit around the mail server. Logs its state changes.
pub(super) fn mail(clock: &Arc<dyn Clock>) -> CircuitBreaker {
    let settings = BreakerSettings::default().with_recovery_timeout(MAIL_RECOVERY).with_call_timeout(MAIL_CALL);
    let builder = builder(settings, clock).on_transition(|transition| {
        let Change { from, to, cause, after_ms } = Change::of(transition);
        tracing::warn!(target: "app.mail", circuit = "mail", from, to, cause, after_ms, "Circuit changed");
    });
    builder.build()
}

/// Creates the circuit around a provider's server, such as `https://accounts.example:443`. Logs its state changes.
pub(super) fn provider(destination: &str, clock: &Arc<dyn Clock>) -> CircuitBreaker {
    let settings = BreakerSettings::default().with_recovery_timeout(PROVIDER_RECOVERY).with_call_timeout(PROVIDER_CALL);
    let destination = destination.to_owned();
    let builder = builder(settings, clock).on_transition(move |transition| {
        let Change { from, to, cause, after_ms } = Change::of(transition);
        tracing::warn!(target: "app", circuit = "providers", destination, from, to, cause, after_ms, "Circuit changed");
    });
    builder.build()
}

/// Creates the circuit around Redis.
pub(super) fn redis(redis: RedisPool, clock: &Arc<dyn Clock>) -> CircuitBreaker {
    let settings = BreakerSettings::default()
        .with_failure_threshold(REDIS_FAILURES)
        .with_recovery_timeout(REDIS_RECOVERY)
        .with_call_timeout(REDIS_RECOVERY);
    let builder = builder(settings, clock).on_transition(move |transition| match (transition.from, transition.to) {
        (State::Closed, State::Open) => {
            let reason = redis.last_fault();
            tracing::warn!(
                target: "app", reason,
                "Redis is lost: this replica goes on with limits and circuits of its own"
            );
        }
        (_, State::Closed) => tracing::warn!(target: "app", "Redis is back: limits and circuits are shared again"),
        // Failed probes in between are not logged.
        _ => {}
    });
    builder.build()
}

fn builder(settings: BreakerSettings, clock: &Arc<dyn Clock>) -> Builder {
    let clock = clock.clone();
    CircuitBreaker::builder(settings).clock(move || clock.monotonic())
}

/// Fields of the log line about a change of state.
struct Change<'a> {
    from: &'static str,
    to: &'static str,
    cause: Option<&'a str>,
    /// Milliseconds since the circuit was last closed. `None` if it was until now.
    after_ms: Option<u64>,
}

impl<'a> Change<'a> {
    fn of(transition: &'a Transition) -> Self {
        let name = |state| CircuitState::from(state).as_str();
        let after = (transition.from != State::Closed).then_some(transition.open_for);
        Self {
            from: name(transition.from),
            to: name(transition.to),
            cause: transition.cause.as_deref(),
            after_ms: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
