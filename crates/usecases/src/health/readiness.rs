//! Checks the dependencies of the service and reports the worst status.

use crate::limits::Limits;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_ports::{CircuitMonitor, CircuitStatus, Clock, Store, TxMode};
use std::sync::Arc;
use std::time::Duration;

/// Result of a readiness check.
#[derive(Debug)]
pub struct ReadinessReport {
    /// Worst status of all checks.
    pub status: Readiness,
    /// The database.
    pub database: DependencyCheck,
    /// Redis, if replicas share it. The service works without it.
    pub redis: Option<DependencyCheck>,
    /// Status of the mail server's circuit, if email is sent. A single email must not change it: the
    /// report is public, and would reveal whether a requested email is really sent, and so whether the
    /// address has an account.
    pub mail: Option<Readiness>,
    /// Status of the circuits of identity providers, if any are configured.
    pub providers: Option<Readiness>,
    /// Circuits of all guarded dependencies.
    pub circuits: Vec<CircuitStatus>,
}

/// Check of one dependency.
#[derive(Debug)]
pub struct DependencyCheck {
    /// Status of the dependency.
    pub status: Readiness,
    /// Response time.
    pub latency: Duration,
}

/// Checks whether the service is ready.
pub struct CheckReadiness {
    /// Store to check.
    pub store: Arc<dyn Store>,
    /// Circuits to report.
    pub circuits: Vec<Arc<dyn CircuitMonitor>>,
    /// Circuit around Redis, if replicas share it.
    pub shared: Option<Arc<dyn CircuitMonitor>>,
    /// Circuit around the mail server, if there is one.
    pub mail: Option<Arc<dyn CircuitMonitor>>,
    /// Circuits around identity providers, if any are configured.
    pub providers: Option<Arc<dyn CircuitMonitor>>,
    /// Rate limits, used to probe Redis.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl CheckReadiness {
    /// Asks the database whether it responds and takes writes, and reports the result. Never fails: problems are in the report.
    #[must_use]
    pub fn run(&self) -> ReadinessReport {
        let asked = self.clock.monotonic();
        let answer = self.store.check(TxMode::Read);
        let latency = self.clock.monotonic().saturating_sub(asked);
        if let Err(error) = &answer {
            tracing::warn!(target: "app", %error, "Database check failed");
        }
        let status = if answer.is_ok() { Readiness::Ok } else { Readiness::Unavailable };
        self.report(DependencyCheck { status, latency }, self.check_redis())
    }

    /// Returns the report of a check that did not finish in time.
    #[must_use]
    pub fn timeout_report(&self, latency: Duration) -> ReadinessReport {
        self.report(DependencyCheck { status: Readiness::Unavailable, latency }, None)
    }

    /// Probes Redis, so that its circuit can close again without a user's call as the probe.
    fn check_redis(&self) -> Option<DependencyCheck> {
        let shared = self.shared.as_ref()?;
        let asked = self.clock.monotonic();
        self.limits.probe();
        let latency = self.clock.monotonic().saturating_sub(asked);
        let closed = shared.status().state == CircuitState::Closed;
        Some(DependencyCheck { status: if closed { Readiness::Ok } else { Readiness::Degraded }, latency })
    }

    fn report(&self, database: DependencyCheck, redis: Option<DependencyCheck>) -> ReadinessReport {
        let (mail, providers) = (self.mail.as_deref().map(optional), self.providers.as_deref().map(optional));
        let mut circuits: Vec<_> = self.circuits.iter().map(|circuit| circuit.status()).collect();
        let own = self.mail.as_ref().map(|mail| mail.status().name);
        for circuit in &mut circuits {
            // A half-open circuit would reveal that an email is being sent as a probe.
            if Some(circuit.name) == own && circuit.state == CircuitState::HalfOpen {
                circuit.state = CircuitState::Open;
            }
        }
        let checks = redis.iter().chain([&database]).map(|check| check.status);
        let status = Readiness::worst(checks.chain(mail).chain(providers));
        ReadinessReport { status, database, redis, mail, providers, circuits }
    }
}

/// Returns the status of an optional dependency.
fn optional(circuit: &dyn CircuitMonitor) -> Readiness {
    match circuit.status().state {
        CircuitState::Closed => Readiness::Ok,
        CircuitState::Open | CircuitState::HalfOpen => Readiness::Degraded,
    }
}
