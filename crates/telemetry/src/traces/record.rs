//! A span that is under way and will be told of.

use super::context::{SpanId, TraceContext};
use std::fmt::Debug;
use tracing::field::{Field, Visit};

/// What may be told of a span: nothing that a caller can choose, no secret, no address.
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
/// Whose presence says that the span failed.
const ERROR_TYPE: &str = "error.type";
/// As many links as OpenTelemetry's own libraries keep.
const MAX_LINKS: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Real(f64),
}

/// Times are nanoseconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) parent: Option<SpanId>,
    /// Whether the span answers a request; the others are within it.
    pub(super) server: bool,
    /// Whether the parent is in another process.
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

    /// Whether the answer is there: what goes on after it is told by the spans within.
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

/// The attributes, and a name that is better than that of the place in the source.
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

/// What a span says of where it comes from.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) server: bool,
    /// What the caller says, if it says it well.
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
