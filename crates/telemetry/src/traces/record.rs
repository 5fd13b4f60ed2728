//! A span in progress that will be exported.

use super::context::{SpanId, TraceContext};
use std::fmt::Debug;
use tracing::field::{Field, Visit};

/// Attributes that are exported. None of them contains caller-chosen data, secrets or addresses.
const ATTRIBUTES: [&str; 8] = [
    "http.request.method",
    "http.route",
    STATUS_CODE,
    "url.scheme",
    ERROR_TYPE,
    "portcullis.lane.name",
    "portcullis.lane.wait_seconds",
    "portcullis.batch.size",
];
const STATUS_CODE: &str = "http.response.status_code";
/// Attribute whose presence marks a span as failed.
const ERROR_TYPE: &str = "error.type";
/// Maximum number of links per span, as in OpenTelemetry's libraries.
const MAX_LINKS: usize = 128;

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Real(f64),
}

/// Data of a span. Times are in nanoseconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) parent: Option<SpanId>,
    /// `true` for the span of a request, `false` for a span within it.
    pub(super) server: bool,
    /// `true` if the parent is in another process.
    pub(super) remote: bool,
    pub(super) start: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) links: Vec<TraceContext>,
    pub(super) dropped_links: u64,
}

impl Record {
    pub(super) fn link(&mut self, other: TraceContext) {
        if self.links.len() < MAX_LINKS {
            self.links.push(other);
        } else {
            self.dropped_links += 1;
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.has(ERROR_TYPE)
    }

    /// Returns whether the span is a request whose response was sent. Later work appears in child
    /// spans.
    pub(super) fn answered(&self) -> bool {
        self.server && self.has(STATUS_CODE)
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(known, _)| *known == name)
    }

    fn set(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let name = field.name();
        if ATTRIBUTES.contains(&name) && !self.has(name) {
            self.attributes.push((name, value()));
        }
    }
}

/// Records the exported attributes, and `otel.name` as the span's name.
impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "otel.name" {
            self.name = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "otel.name" {
            value.clone_into(&mut self.name);
        } else {
            self.set(field, || Value::Text(value.to_owned()));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, || Value::Number(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, || Value::Real(value));
    }
}

/// Fields that decide where a trace starts: whether the span is a request, and its `traceparent`.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) server: bool,
    /// The caller's context, if its `traceparent` is valid.
    pub(super) caller: Option<TraceContext>,
}

impl Visit for Origin {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.kind" => self.server = value == "server",
            "traceparent" => self.caller = TraceContext::parse(value),
            _ => {}
        }
    }
}
