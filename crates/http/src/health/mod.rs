//! `GET /health`, `/health/live` and `/health/ready`.

mod dto;

use crate::api::Api;
use crate::openapi;
use crate::reply::Reply;
use crate::routes::{Table, responds};
use crate::server::Draining;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
pub(crate) use dto::{Check, Checks, Circuit, Circuits, MailCheck, ProvidersCheck};
use dto::{HealthResponse, ReadyResponse};
use paperclip::actix::api_v2_operation;
use portcullis_domain::health::Readiness;
use serde_json::json;
use tokio::time::Instant;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    table.add(Method::GET, "/health", health, responds("The service handles requests."));
    table.add(Method::GET, "/health/live", live, responds("The process is alive."));
    let [id, retry_after] = ["RequestId", "RetryAfter"].map(openapi::header);
    let operation = responds("The service is ready, possibly degraded.").patch(json!({ "responses": { "503": {
        "description": "The service is not ready.",
        "headers": { "X-Request-ID": id, "Retry-After": retry_after },
        "content": { "application/json": { "schema": openapi::schema("ReadyResponse") } },
    } } }));
    table.add(Method::GET, "/health/ready", ready, operation);
}

/// Check health
///
/// Returns 200 while the service handles requests. Checks no dependency, so it succeeds even if the
/// database is unavailable.
#[api_v2_operation(operation_id = "health", tags(health))]
async fn health() -> Reply<HealthResponse> {
    Reply::ok(HealthResponse { status: "ok" })
}

/// Check liveness
///
/// Returns 200 while the process runs. For liveness probes: checks no dependency, so that an outage of
/// one does not restart the service.
#[api_v2_operation(operation_id = "healthLive", tags(health))]
async fn live() -> Reply<HealthResponse> {
    Reply::ok(HealthResponse { status: "ok" })
}

/// Check readiness
///
/// Checks that the database responds and takes writes, and returns the state of every circuit breaker.
/// Returns 503 if the service cannot do its work, or is about to stop.
#[api_v2_operation(operation_id = "healthReady", tags(health))]
async fn ready(api: Data<Api>, draining: Data<Draining>) -> Reply<ReadyResponse> {
    let (asked, shared) = (Instant::now(), api.clone());
    let report = api.lanes.store.run(move || shared.readiness.run()).await;
    let mut report = report.unwrap_or_else(|_| api.readiness.timeout_report(asked.elapsed()));
    if draining.has_begun() {
        report.status = Readiness::Unavailable;
    }
    let status = match report.status {
        Readiness::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Readiness::Ok | Readiness::Degraded => StatusCode::OK,
    };
    Reply::ok(report.into()).with_status(status)
}
