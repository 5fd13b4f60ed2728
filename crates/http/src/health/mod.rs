//! `GET /health`, `/health/live` and `/health/ready`.

mod dto;

use crate::api::Api;
use crate::reply::Reply;
use actix_web::http::StatusCode;
use actix_web::web::Data;
pub(crate) use dto::{Check, Checks, Circuit, Circuits, MailCheck};
use dto::{HealthResponse, ReadyResponse};
use paperclip::actix::api_v2_operation;
use portcullis_domain::health::Readiness;
use tokio::time::Instant;

/// Tell that the service serves
///
/// Asks no dependency: it answers while the database is gone.
#[api_v2_operation(operation_id = "health", tags(health))]
pub(crate) async fn health() -> Reply<HealthResponse> {
    Reply::ok(HealthResponse { status: "ok" })
}

/// Tell that the process lives
///
/// For a liveness probe: it asks no dependency, so that a lost one restarts nothing.
#[api_v2_operation(operation_id = "healthLive", tags(health))]
pub(crate) async fn live() -> Reply<HealthResponse> {
    Reply::ok(HealthResponse { status: "ok" })
}

/// Tell whether the service can do its work
///
/// Asks the database, and tells the state of every circuit.
#[api_v2_operation(operation_id = "healthReady", tags(health))]
pub(crate) async fn ready(api: Data<Api>) -> Reply<ReadyResponse> {
    let (asked, shared) = (Instant::now(), api.clone());
    let report = api.lanes.store.run(move || shared.readiness.run()).await;
    let report = report.unwrap_or_else(|_| api.readiness.timeout_report(asked.elapsed()));
    let status = match report.status {
        Readiness::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Readiness::Ok | Readiness::Degraded => StatusCode::OK,
    };
    Reply::ok(report.into()).with_status(status)
}
