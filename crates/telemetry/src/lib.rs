//! Metrics: what passes a port is counted by a decorator, [`Metered`], and [`MetricsRegistry`] shows the
//! counts as a page in Prometheus's text format. Traces: what passes a port gets a span by
//! [`Traced`], and an [`Exporter`] sends the spans of requests to a collector. Where the page is
//! served, and what is decorated, is left to others.
//!
//! Whoever counts only adds to atomic numbers that were made beforehand: no lock, no allocation.
//! No label and no attribute holds anything that a caller can choose.

#![warn(missing_docs)]

mod hasher;
mod http;
mod lane;
mod limiter;
mod metered;
mod registry;
mod store;
mod traces;
mod verdicts;

pub use hasher::HasherMetrics;
pub use http::HttpMetrics;
pub use lane::LaneMetrics;
pub use limiter::LimiterMetrics;
pub use metered::Metered;
pub use registry::{MetricsError, MetricsRegistry};
pub use store::StoreMetrics;
pub use traces::{
    Endpoint, EndpointError, Exporter, Header, HeadersError, OtlpClient, Resource, Sampler, TRACES, TraceContext,
    TraceId, TraceLayer, Traced,
};
pub use verdicts::VerdictMetrics;
