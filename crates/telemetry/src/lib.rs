//! Metrics and traces.
//!
//! [`Metered`] is a decorator that counts the calls of a port; [`MetricsRegistry`] renders the counts
//! in Prometheus's text format. [`Traced`] is a decorator that adds spans to the calls of a port;
//! [`Exporter`] sends the spans of requests to a collector (feature `otlp`). The app serves the page
//! and chooses the decorated ports.
//!
//! Counting only increments atomics that were created beforehand: no lock, no allocation. No label and
//! no attribute contains data that a caller can choose.

#![warn(missing_docs)]

mod hasher;
mod http;
mod lane;
mod limiter;
mod logins;
mod mails;
mod metered;
mod process;
mod registry;
mod second_factors;
mod sign_ins;
mod store;
mod traces;
mod verdicts;

pub use hasher::HasherMetrics;
pub use http::HttpMetrics;
pub use lane::LaneMetrics;
pub use limiter::LimiterMetrics;
pub use logins::LoginMetrics;
pub use mails::MailMetrics;
pub use metered::Metered;
pub use process::ProcessUsage;
pub use registry::{MetricsError, MetricsRegistry};
pub use second_factors::SecondFactorMetrics;
pub use sign_ins::SignInMetrics;
pub use store::StoreMetrics;
pub use traces::{Exporter, ExporterSettings, OtlpProtocol, TRACES, TraceId, TraceSampler, Traced};
pub use verdicts::VerdictMetrics;
