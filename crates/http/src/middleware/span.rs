//! Span of a request. Adds the request id to every log line and, if traces are exported, starts the
//! trace.

use super::RequestId;
use crate::api::Api;
use crate::limits::ClientAddress;
use crate::request_metrics;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use tracing::field::Empty;
use tracing::{Level, Span};
use tracing_actix_web::RootSpanBuilder;

/// Target of spans that become a trace. Only enabled if traces are exported, which of integers accept
/// only `i64`.
pub(crate) const TRACES: &str = "app.traces";

/// Builds the root span, at the highest level so that no log filter removes the request id.
pub(crate) struct RequestSpan;

impl RequestSpan {
    /// Creates the span of a request.
    pub(super) fn of(request_id: &str) -> Span {
        tracing::error_span!(target: "app", "request", request_id)
    }

    /// Creates the span as the root of a trace, by OpenTelemetry's conventions for HTTP servers.
    /// Records the route's pattern, since a path may contain ids and arbitrary input.
    fn traced(request: &ServiceRequest, request_id: &str) -> Span {
        let (route, known) = (request_metrics::route(request), request_metrics::method(request));
        let (method, verb) = known.map_or(("_OTHER", "HTTP"), |method| (method, method));
        let tls =
            request.app_data::<Data<Api>>().is_some_and(|api| ClientAddress::from_request(request.request(), api).tls);
        let name = route.map_or_else(|| verb.to_owned(), |route| format!("{verb} {route}"));
        tracing::error_span!(
            target: TRACES,
            "request",
            request_id,
            traceparent = traceparent(request.headers()),
            otel.kind = "server",
            otel.name = name,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            url.scheme = if tls { "https" } else { "http" },
            "error.type" = Empty
        )
    }
}

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let id = extensions.get::<RequestId>().map_or("", |id| id.0.as_str());
        let is_traced = tracing::span_enabled!(target: TRACES, Level::ERROR) && !is_unlogged_probe(request);
        if is_traced { Self::traced(request, id) } else { Self::of(id) }
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        if !span.has_field("http.response.status_code") {
            return;
        }
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        if status.is_server_error() {
            span.record("error.type", status.as_str());
        }
        span.record("http.response.status_code", i64::from(status.as_u16()));
    }
}

/// Returns whether the request is a health probe that is neither logged nor traced.
pub(super) fn is_unlogged_probe(request: &ServiceRequest) -> bool {
    let path = request.path();
    matches!(path.strip_suffix('/').unwrap_or(path), "/health" | "/health/live" | "/health/ready")
        && request.app_data::<Data<Api>>().is_some_and(|api| !api.config.log_health)
}

/// Returns the client's `traceparent`. `None` if there are several, since it is unclear which one is
/// meant.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all("traceparent");
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    value.to_str().ok()
}
