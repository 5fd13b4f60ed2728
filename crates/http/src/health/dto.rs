//! The JSON of health.

use paperclip::actix::Apiv2Schema;
use portcullis_domain::health::CircuitState;
use portcullis_usecases::health::ReadinessReport;
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
}

/// What a dependency answered.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Check {
    /// `ok` or `unavailable`.
    status: &'static str,
    /// How long the answer took, in milliseconds.
    latency_ms: f64,
}

/// The circuits around the dependencies.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Circuits {
    /// Around the database.
    database: Circuit,
}

/// A circuit.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct Circuit {
    /// `closed`, `open` or `half_open`.
    state: &'static str,
}

impl From<ReadinessReport> for ReadyResponse {
    fn from(report: ReadinessReport) -> Self {
        let database = report.circuits.iter().find(|circuit| circuit.name == "database");
        let state = database.map_or(CircuitState::Closed, |circuit| circuit.state);
        let latency_ms = (report.database.latency.as_secs_f64() * 1e5).round() / 100.0;
        Self {
            status: report.status.as_str(),
            checks: Checks { database: Check { status: report.database.status.as_str(), latency_ms } },
            circuits: Circuits { database: Circuit { state: state.as_str() } },
        }
    }
}
