//! Traces: spans of one target are sent to a collector as OTLP.
//!
//! [`TraceLayer`] records the spans that `tracing` carries across threads, [`Traced`] adds spans around
//! ports, and an [`Exporter`] sends them from its own thread. Requests never wait for it: spans that do
//! not fit its queue are dropped and counted.
//!
//! Only attributes on a fixed list leave the process.

mod collector;
mod context;
mod exporter;
mod layer;
mod otlp;
mod protobuf;
mod queue;
mod record;
mod sampler;
mod traced;

pub use collector::{Endpoint, EndpointError, Header, HeadersError, OtlpClient};
pub use context::{TraceContext, TraceId};
pub use exporter::{Exporter, Resource};
pub use layer::TraceLayer;
pub use sampler::Sampler;
pub use traced::Traced;

/// Target of the spans that are traced. Other spans are for logs only.
pub const TRACES: &str = "app.traces";
