//! The span of a request: it carries the identifier into every log line, and nothing else.

use super::RequestId;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

/// Builds the span. It is of the highest level, so that no log level takes the identifier away.
pub(crate) struct RequestSpan;

impl RequestSpan {
    /// The span of the request with that identifier.
    pub(super) fn of(request_id: &str) -> Span {
        tracing::error_span!(target: "app", "request", request_id)
    }
}

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        Self::of(extensions.get::<RequestId>().map_or("", |id| id.0.as_str()))
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}
