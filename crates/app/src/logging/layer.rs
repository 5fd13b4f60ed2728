//! Formats each event as one line, a flat JSON object or readable text, in a thread-local buffer and
//! queues it. Of spans, only the request id and the trace id are logged.

use super::fields::{MembersVisitor, MessageVisitor, OneField, TextFields, TextMessage};
use super::json;
use super::level::LogFilter;
use super::queue::LogQueue;
use super::text::{self, Colours};
use crate::settings::Level;
use chrono::{DateTime, Datelike, Timelike, Utc};
use portcullis_ports::Clock;
use portcullis_telemetry::TraceId;
use std::cell::Cell;
use std::sync::Arc;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Span field and line member with the request id.
pub(super) const REQUEST_ID: &str = "request_id";

/// Members that event fields cannot overwrite.
const RESERVED: [&str; 4] = ["timestamp", "level", "name", "message"];
/// Members that event fields cannot overwrite inside a request.
const RESERVED_INSIDE: [&str; 6] = ["timestamp", "level", "name", "message", REQUEST_ID, "trace_id"];

/// Maximum size in bytes of a line buffer that is kept for the next line.
const MAX_KEPT: usize = 64 * 1024;

thread_local! {
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Style of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A flat JSON object.
    Json,
    /// Readable text.
    Text(Colours),
}

/// Formats events and queues them.
pub(super) struct Lines {
    pub(super) watched: LogFilter,
    pub(super) style: Style,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Arc<LogQueue>,
}

/// Request id of a span, as JSON.
struct RequestId(Vec<u8>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.watched.is_enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.watched.is_enabled(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut value = Vec::new();
        attributes.record(&mut OneField { name: REQUEST_ID, value: &mut value });
        keep(value, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut value = Vec::new();
        values.record(&mut OneField { name: REQUEST_ID, value: &mut value });
        keep(value, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Taken, not borrowed: formatting a field may itself log.
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        match self.style {
            Style::Json => json_line(&mut line, self.clock.now(), event, &context),
            Style::Text(colours) => text_line(&mut line, colours, self.clock.now(), event, &context),
        }
        self.queue.push(&line);
        if line.capacity() <= MAX_KEPT {
            LINE.try_with(|kept| kept.set(line)).ok();
        }
    }
}

fn keep<S: Subscriber + for<'a> LookupSpan<'a>>(request_id: Vec<u8>, id: &Id, context: &Context<'_, S>) {
    if !request_id.is_empty()
        && let Some(span) = context.span(id)
    {
        span.extensions_mut().replace(RequestId(request_id));
    }
}

fn json_line<S: Subscriber + for<'a> LookupSpan<'a>>(
    line: &mut Vec<u8>,
    now: DateTime<Utc>,
    event: &Event<'_>,
    context: &Context<'_, S>,
) {
    json_head(line, now, (*event.metadata().level()).into(), event.metadata().target());
    message(line, event);
    let inside = with_request(event, context, |request_id, trace| {
        line.extend_from_slice(br#","request_id":"#);
        line.extend_from_slice(request_id);
        if let Some(trace) = trace {
            json::literal(line, format_args!(r#","trace_id":"{}""#, trace.0));
        }
    });
    event.record(&mut MembersVisitor { line, reserved: if inside { &RESERVED_INSIDE } else { &RESERVED } });
    line.extend_from_slice(b"}\n");
}

fn text_line<S: Subscriber + for<'a> LookupSpan<'a>>(
    line: &mut Vec<u8>,
    colours: Colours,
    now: DateTime<Utc>,
    event: &Event<'_>,
    context: &Context<'_, S>,
) {
    text_head(line, colours, now, (*event.metadata().level()).into(), event.metadata().target());
    event.record(&mut TextMessage(line));
    let mut ids = String::new();
    let inside = with_request(event, context, |request_id, trace| {
        // The JSON form is ASCII without control characters.
        ids = format!(" {REQUEST_ID}={}", String::from_utf8_lossy(request_id).trim_matches('"'));
        ids.extend(trace.map(|trace| format!(" trace_id={}", trace.0)));
    });
    event.record(&mut TextFields { line, colours, reserved: if inside { &[REQUEST_ID, "trace_id"] } else { &[] } });
    colours.dim(line, &ids);
    line.push(b'\n');
}

/// Appends the line that reports dropped lines.
pub(super) fn dropped_line(line: &mut Vec<u8>, style: Style, now: DateTime<Utc>, dropped: u64) {
    match style {
        Style::Json => {
            json_head(line, now, Level::Warning, "app");
            let end = format_args!(r#","message":"{dropped} log lines were dropped","dropped":{dropped}}}"#);
            json::literal(line, end);
        }
        Style::Text(colours) => {
            text_head(line, colours, now, Level::Warning, "app");
            text::message(line, &format!("{dropped} log lines were dropped"));
        }
    }
    line.push(b'\n');
}

fn text_head(line: &mut Vec<u8>, colours: Colours, now: DateTime<Utc>, level: Level, name: &str) {
    colours.dim(line, &format!("{} ", now.format("%Y-%m-%dT%H:%M:%S%.3fZ")));
    colours.level(line, level);
    colours.dim(line, &format!(" {name}: "));
}

/// Appends the members up to `name`.
fn json_head(line: &mut Vec<u8>, now: DateTime<Utc>, level: Level, name: &str) {
    let (year, month, day) = (now.year(), now.month(), now.day());
    let (hour, minute, second) = (now.hour(), now.minute(), now.second());
    // In a leap second, chrono counts past 999,999,999 ns.
    let micros = now.nanosecond().min(999_999_999) / 1000;
    json::literal(
        line,
        format_args!(
            r#"{{"timestamp":"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00","level":"{}","name":"#,
            level.as_str()
        ),
    );
    json::string(line, name);
}

fn message(line: &mut Vec<u8>, event: &Event<'_>) {
    line.extend_from_slice(br#","message":"#);
    let before = line.len();
    event.record(&mut MessageVisitor(line));
    if line.len() == before {
        line.extend_from_slice(br#""""#);
    }
}

/// Calls `write` with the request id (as JSON) and the trace of the innermost span that has a request
/// id. Returns whether there is one.
fn with_request<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
    write: impl FnOnce(&[u8], Option<&TraceId>),
) -> bool {
    for span in context.event_scope(event).into_iter().flatten() {
        let extensions = span.extensions();
        if let Some(RequestId(id)) = extensions.get() {
            write(id, extensions.get::<TraceId>());
            return true;
        }
    }
    false
}
