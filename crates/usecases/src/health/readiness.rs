//! Checks what the service needs, and adds it up.

use crate::limits::Limits;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_domain::registration::UserId;
use portcullis_ports::{CircuitMonitor, CircuitStatus, Clock, Store, StoreExt};
use std::sync::Arc;
use std::time::Duration;

/// What was found.
#[derive(Debug)]
pub struct ReadinessReport {
    /// The worst of all checks.
    pub status: Readiness,
    /// The database.
    pub database: DependencyCheck,
    /// What replicas share, where they share anything: the service can do without it.
    pub redis: Option<DependencyCheck>,
    /// Sending emails, by the circuit of the mail server. Never by single emails: anyone may read
    /// the report, and would learn from it whether the address just typed has an account.
    pub mail: Option<Readiness>,
    /// The circuit of every guarded dependency.
    pub circuits: Vec<CircuitStatus>,
}

/// What a dependency answered.
#[derive(Debug)]
pub struct DependencyCheck {
    /// Whether it did.
    pub status: Readiness,
    /// How long it took.
    pub latency: Duration,
}

/// The verb.
pub struct CheckReadiness {
    /// The store to ask.
    pub store: Arc<dyn Store>,
    /// The circuits to report.
    pub circuits: Vec<Arc<dyn CircuitMonitor>>,
    /// The circuit around what replicas share, where they share anything.
    pub shared: Option<Arc<dyn CircuitMonitor>>,
    /// The circuit around the mail server, where there is one.
    pub mail: Option<Arc<dyn CircuitMonitor>>,
    /// What is shared.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl CheckReadiness {
    /// Asks the store something small. Never fails: what is wrong is in the report.
    #[must_use]
    pub fn run(&self) -> ReadinessReport {
        let asked = self.clock.monotonic();
        // No account has the number 0: the answer costs one look into an index.
        let answer = self.store.read(|tx| tx.users().find(UserId::new(0)));
        let latency = self.clock.monotonic().saturating_sub(asked);
        if let Err(error) = &answer {
            tracing::warn!(target: "app", %error, "Database check failed");
        }
        let status = if answer.is_ok() { Readiness::Ok } else { Readiness::Unavailable };
        self.report(DependencyCheck { status, latency }, self.check_redis())
    }

    /// The report where nobody could ask in time.
    #[must_use]
    pub fn timeout_report(&self, latency: Duration) -> ReadinessReport {
        self.report(DependencyCheck { status: Readiness::Unavailable, latency }, None)
    }

    /// Asks what is shared, which also finds out that it is back. Nobody else waits for it.
    fn check_redis(&self) -> Option<DependencyCheck> {
        let shared = self.shared.as_ref()?;
        let asked = self.clock.monotonic();
        self.limits.probe();
        let latency = self.clock.monotonic().saturating_sub(asked);
        let closed = shared.status().state == CircuitState::Closed;
        Some(DependencyCheck { status: if closed { Readiness::Ok } else { Readiness::Degraded }, latency })
    }

    fn report(&self, database: DependencyCheck, redis: Option<DependencyCheck>) -> ReadinessReport {
        let mail = self.mail.as_ref().map(|mail| match mail.status().state {
            CircuitState::Closed => Readiness::Ok,
            CircuitState::Open | CircuitState::HalfOpen => Readiness::Degraded,
        });
        let mut circuits: Vec<_> = self.circuits.iter().map(|circuit| circuit.status()).collect();
        let own = self.mail.as_ref().map(|mail| mail.status().name);
        for circuit in &mut circuits {
            // A probe of the mail server is one email on its way.
            if Some(circuit.name) == own && circuit.state == CircuitState::HalfOpen {
                circuit.state = CircuitState::Open;
            }
        }
        let checks = redis.iter().chain([&database]).map(|check| check.status);
        let status = Readiness::worst(checks.chain(mail));
        ReadinessReport { status, database, redis, mail, circuits }
    }
}
