//! Metrics: what passes a port is counted by a decorator, [`Metered`], and [`Telemetry`] shows the
//! counts as a page in Prometheus's text format. Traces: what passes a port gets a span by
//! [`Traced`], and an [`Exporter`] sends the spans of requests to a collector. Where the page is
//! served, and what is decorated, is left to others.
//!
//! Whoever counts only adds to atomic numbers that were made beforehand: no lock, no allocation.
//! No label and no attribute holds anything that a caller can choose.

#![warn(missing_docs)]

mod hasher;
mod lane;
mod limiter;
mod metered;
mod registry;
mod store;
mod traces;
mod traffic;
mod verdicts;

pub use hasher::HasherMetrics;
pub use lane::LaneMetrics;
pub use limiter::LimiterMetrics;
pub use metered::Metered;
pub use registry::{Telemetry, TelemetryError};
pub use store::StoreMetrics;
pub use traces::{
    Collector, Endpoint, EndpointError, Exporter, Header, HeadersError, Resource, Sampler, TRACES, TraceContext,
    TraceId, TraceLayer, Traced,
};
pub use traffic::Traffic;
pub use verdicts::VerdictMetrics;
