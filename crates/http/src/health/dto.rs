//! The JSON of health.

use paperclip::actix::Apiv2Schema;
use portcullis_domain::health::CircuitState;
use portcullis_usecases::health::{self, DependencyCheck, ReadinessReport};
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
    /// The mails that are kept; missing where the database could not tell. Never a reason for 503:
    /// nobody who signs in waits for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailCheck>,
}

/// The mails that are kept.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MailCheck {
    /// `ok`, or `degraded` where mails were given up or the mail server is away.
    status: &'static str,
    /// How many are to be sent, counted up to a thousand.
    waiting: u64,
    /// How many were given up, counted up to a thousand.
    dead: u64,
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
                mail: report.mail.as_ref().map(MailCheck::from),
            },
            circuits: Circuits {
                database: circuit("database").unwrap_or(closed),
                redis: circuit("redis"),
                mail: circuit("mail"),
            },
        }
    }
}

impl From<&health::MailCheck> for MailCheck {
    fn from(check: &health::MailCheck) -> Self {
        Self { status: check.status.as_str(), waiting: check.load.waiting, dead: check.load.dead }
    }
}

impl From<&DependencyCheck> for Check {
    fn from(check: &DependencyCheck) -> Self {
        let latency_ms = (check.latency.as_secs_f64() * 1e5).round() / 100.0;
        Self { status: check.status.as_str(), latency_ms }
    }
}
