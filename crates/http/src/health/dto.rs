//! The JSON of health.

use paperclip::actix::Apiv2Schema;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_usecases::health::{DependencyCheck, ReadinessReport};
use serde::Serialize;

/// The service serves.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct HealthResponse {
    /// Always `ok`.
    pub(super) status: &'static str,
}

/// Whether the service can do its work.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ReadyResponse {
    /// The worst of all checks: `ok`, `degraded` or `unavailable`.
    status: &'static str,
    /// What the dependencies answered.
    checks: Checks,
    /// The circuits around the dependencies.
    circuits: Circuits,
}

/// What the dependencies answered.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Checks {
    /// The database.
    database: Check,
    /// What replicas share, with `REDIS_URL` only. Without it each goes on with its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Check>,
    /// Sending emails. Never a reason for 503: no sign-in waits for an email.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailCheck>,
}

/// Sending emails.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MailCheck {
    /// `ok`, or `degraded` while the circuit of the mail server is open.
    status: &'static str,
}

/// What a dependency answered.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Check {
    /// `ok`, `degraded` or `unavailable`.
    status: &'static str,
    /// How long the answer took, in milliseconds.
    latency_ms: f64,
}

/// The circuits around the dependencies.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Circuits {
    /// Around the database.
    database: Circuit,
    /// Around what replicas share, with `REDIS_URL` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Circuit>,
    /// Around the mail server, with `SMTP_URL` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<Circuit>,
}

/// A circuit.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Circuit {
    /// `closed`, `open` or `half_open`.
    state: &'static str,
}

impl From<ReadinessReport> for ReadyResponse {
    fn from(report: ReadinessReport) -> Self {
        let circuit = |name| {
            let circuit = report.circuits.iter().find(|circuit| circuit.name == name)?;
            Some(Circuit { state: circuit.state.as_str() })
        };
        let closed = Circuit { state: CircuitState::Closed.as_str() };
        Self {
            status: report.status.as_str(),
            checks: Checks {
                database: Check::from(&report.database),
                redis: report.redis.as_ref().map(Check::from),
                mail: report.mail.map(MailCheck::from),
            },
            circuits: Circuits {
                database: circuit("database").unwrap_or(closed),
                redis: circuit("redis"),
                mail: circuit("mail"),
            },
        }
    }
}

impl From<Readiness> for MailCheck {
    fn from(status: Readiness) -> Self {
        Self { status: status.as_str() }
    }
}

impl From<&DependencyCheck> for Check {
    fn from(check: &DependencyCheck) -> Self {
        let latency_ms = (check.latency.as_secs_f64() * 1e5).round() / 100.0;
        Self { status: check.status.as_str(), latency_ms }
    }
}
