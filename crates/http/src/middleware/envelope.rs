//! Logs the start and the end of each request, converts every error to the common body, and handles
//! `HEAD` like `GET`. A panic results in a 500 and affects no other request.

use super::RequestId;
use super::span::is_unlogged_probe;
use crate::errors::{ApiError, Preference, Problem};
use crate::server::Draining;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::time::Instant;

/// Maximum length of a logged path; a client may send 64 KiB.
const MAX_LOGGED_PATH: usize = 1024;

/// Logs a request and shapes its response.
pub(crate) async fn envelope(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let seen = RequestSummary::of(&request);
    let draining = request.app_data::<Data<Draining>>().cloned();
    seen.log_start();
    if seen.method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(ApiError::internal("a handler panicked").into()));
    let outcome = outcome.map(|response| seen.shape(response.map_into_boxed_body()));
    seen.log_end(match &outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    });
    let mut response = outcome?;
    // The library would take everything after an upgrade for one endless body.
    if seen.upgrade || draining.is_some_and(|draining| draining.has_begun()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Facts copied from a request. Holding the request itself while it is served would make the router
/// panic.
struct RequestSummary {
    method: Method,
    path: String,
    id: String,
    upgrade: bool,
    /// True for a health probe that is not logged.
    unlogged: bool,
    started: Instant,
}

impl RequestSummary {
    fn of(request: &ServiceRequest) -> Self {
        Self {
            method: request.method().clone(),
            path: request.path().to_owned(),
            id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            upgrade: request.headers().contains_key(header::UPGRADE),
            unlogged: is_unlogged_probe(request),
            started: Instant::now(),
        }
    }

    fn path(&self) -> &str {
        self.path.get(..MAX_LOGGED_PATH).unwrap_or(&self.path)
    }

    fn log_start(&self) {
        if !self.unlogged {
            let (method, path) = (self.method.as_str(), self.path());
            tracing::info!(target: "app.access", method, path, "Request started");
        }
    }

    fn log_end(&self, status: StatusCode) {
        if self.unlogged {
            return;
        }
        let (method, path, status_code) = (self.method.as_str(), self.path(), status.as_u16());
        let micros = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let duration_ms = (f64::from(micros) / 10.0).round() / 100.0;
        tracing::info!(target: "app.access", method, path, status_code, duration_ms, "Request finished");
    }

    /// Converts an error to the common body. Leaves other responses unchanged.
    fn shape(&self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        allow_head(response.headers_mut());
        let Some(problem) = Problem::of_response(response.response()) else { return response };
        problem.log();
        let mut rendered = problem.render(&self.id, &Preference::of(response.request().headers()));
        for (name, value) in response.headers().iter().filter(|(name, _)| is_kept(name)) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
        response.into_response(rendered)
    }
}

/// Returns whether a header of the router's or CORS's response also applies to the rendered one.
fn is_kept(name: &HeaderName) -> bool {
    *name == header::ALLOW || *name == header::VARY || name.as_str().starts_with("access-control-")
}

/// Adds `HEAD` to the `Allow` header of a 405 if `GET` is allowed.
fn allow_head(headers: &mut header::HeaderMap) {
    let Some(allow) = headers.get(header::ALLOW).and_then(|value| value.to_str().ok()) else { return };
    let methods: Vec<_> = allow.split(',').map(str::trim).collect();
    if methods.contains(&"GET") && !methods.contains(&"HEAD") {
        let with_head = HeaderValue::from_str(&format!("{allow}, HEAD"));
        if let Ok(value) = with_head {
            headers.insert(header::ALLOW, value);
        }
    }
}
