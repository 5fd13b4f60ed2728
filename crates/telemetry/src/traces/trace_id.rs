//! Layer that stores a request's trace id in the extensions of its span, for logs.

use super::TraceId;
use opentelemetry::trace::TraceContextExt;
use std::sync::OnceLock;
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Layer above that of `tracing-opentelemetry`, which keeps the id to itself.
#[derive(Debug, Default)]
pub(super) struct LogTraceId(OnceLock<WeakDispatch>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogTraceId {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.0.get_or_init(|| dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.fields().field("otel.kind").is_none() {
            return;
        }
        let dispatch = self.0.get().and_then(WeakDispatch::upgrade);
        let traced = dispatch.and_then(|dispatch| tracing_opentelemetry::get_otel_context(id, &dispatch));
        if let (Some(traced), Some(span)) = (traced, context.span(id)) {
            let trace_id = traced.span().span_context().trace_id().to_string();
            span.extensions_mut().insert(TraceId(trace_id));
        }
    }
}
