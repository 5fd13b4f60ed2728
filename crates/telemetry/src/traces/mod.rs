//! Traces: spans of one target are sent to a collector as OTLP, by OpenTelemetry's libraries.
//!
//! [`Traced`] adds spans around ports. The layer of an [`Exporter`] records them, and threads of its
//! own send them. Requests never wait for it: spans that do not fit its queue are dropped and counted.
//! Without the feature `otlp` there is no exporter.
//!
//! Only attributes on a fixed list leave the process.

#[cfg(not(feature = "otlp"))]
#[path = "disabled.rs"]
mod exporter;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod sender;
#[cfg(feature = "otlp")]
mod trace_id;
mod traced;
#[cfg(feature = "otlp")]
mod tracer;

pub use exporter::Exporter;
pub use traced::Traced;

use std::time::Duration;

/// Target of the spans that are traced. Other spans are for logs only.
pub const TRACES: &str = "app.traces";

/// Id of a request's trace, as 32 hex digits. The extensions of the request's span hold it, for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(pub String);

/// Protocol to the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// OTLP/HTTP with protocol buffers.
    HttpProtobuf,
    /// OTLP/gRPC.
    Grpc,
}

/// Selection of the traces that are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceSampler {
    /// Fraction of the traces that are recorded, from 0 to 1.
    pub ratio: f64,
    /// Whether the flag of a caller's `traceparent` decides instead.
    pub follows_callers: bool,
}

/// Settings of an [`Exporter`].
pub struct ExporterSettings {
    /// URL of the collector, for `HttpProtobuf` with its path.
    pub endpoint: String,
    /// Protocol to the collector.
    pub protocol: OtlpProtocol,
    /// Names and values of headers sent with every request. Values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Maximum time of an export.
    pub timeout: Duration,
    /// Attributes of the process.
    pub resource: Vec<(String, String)>,
    /// Selection of the traces.
    pub sampler: TraceSampler,
}
