//! Checks what the service needs, and adds it up.

use crate::limits::Limits;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_domain::registration::UserId;
use portcullis_ports::{CircuitMonitor, CircuitStatus, Clock, OutboxLoad, Store, StoreExt};
use std::sync::Arc;
use std::time::Duration;

/// How far mails are counted.
const MOST_MAILS: u32 = 1_000;

/// What was found.
#[derive(Debug)]
pub struct ReadinessReport {
    /// The worst of all checks.
    pub status: Readiness,
    /// The database.
    pub database: DependencyCheck,
    /// What replicas share, where they share anything: the service can do without it.
    pub redis: Option<DependencyCheck>,
    /// What there is to send, where the store could tell.
    pub mail: Option<MailCheck>,
    /// The circuit of every guarded dependency.
    pub circuits: Vec<CircuitStatus>,
}

/// What there is to send. Nobody who signs in waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailCheck {
    /// Degraded where mails were given up, or the mail server is away.
    pub status: Readiness,
    /// How many mails are to be sent, and how many were given up; counted up to a thousand of each.
    pub load: OutboxLoad,
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
        let answer = self.store.read(|tx| {
            tx.users().find(UserId::new(0))?;
            tx.outbox().load(MOST_MAILS)
        });
        let latency = self.clock.monotonic().saturating_sub(asked);
        if let Err(error) = &answer {
            tracing::warn!(target: "app", %error, "Database check failed");
        }
        let status = if answer.is_ok() { Readiness::Ok } else { Readiness::Unavailable };
        let mail = answer.ok().map(|load| self.check_mail(load));
        self.report(DependencyCheck { status, latency }, self.check_shared(), mail)
    }

    /// The report where nobody could ask in time.
    #[must_use]
    pub fn unanswered(&self, latency: Duration) -> ReadinessReport {
        self.report(DependencyCheck { status: Readiness::Unavailable, latency }, None, None)
    }

    /// Asks what is shared, which also finds out that it is back. Nobody else waits for it.
    fn check_shared(&self) -> Option<DependencyCheck> {
        let shared = self.shared.as_ref()?;
        let asked = self.clock.monotonic();
        self.limits.touch();
        let latency = self.clock.monotonic().saturating_sub(asked);
        let closed = shared.status().state == CircuitState::Closed;
        Some(DependencyCheck { status: if closed { Readiness::Ok } else { Readiness::Degraded }, latency })
    }

    fn check_mail(&self, load: OutboxLoad) -> MailCheck {
        let away = self.mail.as_ref().is_some_and(|mail| mail.status().state == CircuitState::Open);
        let status = if away || load.dead > 0 { Readiness::Degraded } else { Readiness::Ok };
        MailCheck { status, load }
    }

    fn report(
        &self,
        database: DependencyCheck,
        redis: Option<DependencyCheck>,
        mail: Option<MailCheck>,
    ) -> ReadinessReport {
        let circuits = self.circuits.iter().map(|circuit| circuit.status()).collect();
        let checks = redis.iter().chain([&database]).map(|check| check.status);
        let status = Readiness::worst(checks.chain(mail.map(|mail| mail.status)));
        ReadinessReport { status, database, redis, mail, circuits }
    }
}
