//! Traces: spans of one target become OTLP spans and go to a collector. [`TraceLayer`] watches the
//! spans that `tracing` carries over every hop between threads, [`Traced`] makes some around ports,
//! and an [`Exporter`] sends them from a thread of its own. Nobody ever waits for it: what does not
//! fit its queue is dropped and counted.
//!
//! Only the attributes of a fixed list leave the process.

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

/// The target of the spans that become a trace. Others are left to logs.
pub const TRACES: &str = "app.traces";
