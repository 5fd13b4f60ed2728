//! Exporter of traces: OpenTelemetry's SDK, configured.

use super::queue::{Counts, Queue};
use super::sender::Sender;
use super::trace_id::LogTraceId;
use super::tracer::{self, RequestTracer};
use super::{ExporterSettings, TRACES};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Sends spans to a collector from its own threads.
#[derive(Debug, Clone)]
pub struct Exporter {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

impl Exporter {
    /// Starts the threads. An unavailable collector is not an error.
    ///
    /// # Errors
    /// Returns an error if the settings are invalid or a thread cannot be created.
    pub fn start(settings: ExporterSettings) -> io::Result<Self> {
        let resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attributes(settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
        let sampler = tracer::sampler(settings.sampler);
        let counts = Arc::new(Counts::default());
        let queue = Queue::new(Sender::new(settings, Arc::clone(&counts))?, Arc::clone(&counts));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource.build())
            .with_span_processor(queue)
            .build();
        Ok(Self { provider, counts })
    }

    /// Creates a layer that passes the spans of requests to this exporter. The span of a request has its
    /// [`TraceId`](super::TraceId) in its extensions.
    ///
    /// `otel.kind = "server"` begins a trace or continues that of `traceparent`; `otel.name` replaces the
    /// span's name; `error.type` marks a failure. A span without a parent that follows from others becomes
    /// a child of the first recorded one and is linked to the rest.
    #[must_use]
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let scope = InstrumentationScope::builder("portcullis").with_version(env!("CARGO_PKG_VERSION")).build();
        tracing_opentelemetry::layer()
            .with_tracer(RequestTracer(self.provider.tracer_with_scope(scope)))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .and_then(LogTraceId::default())
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACES))
    }

    /// Returns a function that reads the number of spans sent since the start.
    pub fn sent(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let counts = Arc::clone(&self.counts);
        move || counts.sent()
    }

    /// Returns a function that reads the number of spans dropped since the start.
    pub fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let counts = Arc::clone(&self.counts);
        move || counts.dropped()
    }

    /// Accepts no more spans and waits up to `within` for the rest to be sent.
    pub fn close(&self, within: Duration) {
        if self.provider.shutdown_with_timeout(within).is_err() {
            tracing::warn!(target: "app", "The last spans were not delivered in time");
        }
    }
}
