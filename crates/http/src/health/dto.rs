//! DTOs of the health endpoints.

use paperclip::actix::Apiv2Schema;
use portcullis_domain::health::{CircuitState, Readiness};
use portcullis_usecases::health::{DependencyCheck, ReadinessReport};
use serde::Serialize;

/// Health status.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct HealthResponse {
    /// Always `ok`.
    pub(super) status: &'static str,
}

/// Readiness of the service and its dependencies.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ReadyResponse {
    /// Worst status of all checks: `ok`, `degraded` or `unavailable`. A service that is about to stop is
    /// `unavailable`.
    status: &'static str,
    /// Results of the dependency checks.
    checks: Checks,
    /// Circuit breakers around the dependencies.
    circuits: Circuits,
}

/// Results of the dependency checks.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Checks {
    /// Database.
    database: Check,
    /// Redis, only with `REDIS_URL`. If it is unavailable, each replica continues with its own state.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Check>,
    /// Email delivery. Never causes a 503, since no login waits for an email.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailCheck>,
    /// Identity providers, only with `PROVIDERS`. Never causes a 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    providers: Option<ProvidersCheck>,
}

/// Email delivery.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct MailCheck {
    /// `ok`, or `degraded` while the circuit of the mail server is open.
    status: &'static str,
}

/// Identity providers.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct ProvidersCheck {
    /// `ok`, or `degraded` while the circuit of a provider is open.
    status: &'static str,
}

/// Result of a dependency check.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Check {
    /// `ok`, `degraded` or `unavailable`.
    status: &'static str,
    /// Response time in milliseconds.
    latency_ms: f64,
}

/// Circuit breakers around the dependencies.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Circuits {
    /// Circuit of all calls to the database.
    database: Circuit,
    /// Circuit of the calls that write.
    database_writes: Circuit,
    /// Circuit of Redis, only with `REDIS_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Circuit>,
    /// Circuit of the mail server, only with `SMTP_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<Circuit>,
    /// Circuits of the identity providers, only with `PROVIDERS`: open if the circuit of one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    providers: Option<Circuit>,
}

/// Circuit breaker.
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
        let required = |name| circuit(name).unwrap_or(Circuit { state: CircuitState::Closed.as_str() });
        Self {
            status: report.status.as_str(),
            checks: Checks {
                database: Check::from(&report.database),
                redis: report.redis.as_ref().map(Check::from),
                mail: report.mail.map(MailCheck::from),
                providers: report.providers.map(ProvidersCheck::from),
            },
            circuits: Circuits {
                database: required("database"),
                database_writes: required("database_writes"),
                redis: circuit("redis"),
                mail: circuit("mail"),
                providers: circuit("providers"),
            },
        }
    }
}

impl From<Readiness> for ProvidersCheck {
    fn from(status: Readiness) -> Self {
        Self { status: status.as_str() }
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
