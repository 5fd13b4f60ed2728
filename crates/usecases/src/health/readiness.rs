//! Checks what the service needs, and adds it up.

use portcullis_domain::health::Readiness;
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
    pub database: DatabaseCheck,
    /// The circuit of every guarded dependency.
    pub circuits: Vec<CircuitStatus>,
}

/// What the database answered.
#[derive(Debug)]
pub struct DatabaseCheck {
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
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl CheckReadiness {
    /// Asks the store one small question. Never fails: what is wrong is in the report.
    #[must_use]
    pub fn run(&self) -> ReadinessReport {
        let asked = self.clock.monotonic();
        // No account has the number 0: the answer costs one look into an index.
        let answer = self.store.read(|tx| tx.users().find(UserId::new(0)));
        let latency = self.clock.monotonic().saturating_sub(asked);
        if let Err(error) = &answer {
            tracing::warn!(target: "app", %error, "Database check failed");
        }
        self.report(if answer.is_ok() { Readiness::Ok } else { Readiness::Unavailable }, latency)
    }

    /// The report where nobody could ask in time.
    #[must_use]
    pub fn unanswered(&self, latency: Duration) -> ReadinessReport {
        self.report(Readiness::Unavailable, latency)
    }

    fn report(&self, status: Readiness, latency: Duration) -> ReadinessReport {
        let circuits = self.circuits.iter().map(|circuit| circuit.status()).collect();
        ReadinessReport { status, database: DatabaseCheck { status, latency }, circuits }
    }
}
