//! Formats each event as one line, a flat JSON object or readable text, in a thread-local buffer and
//! queues it. Of spans, only the request id and the trace id are logged.

use super::fields::{MESSAGE, OneField, OtherFields};
use super::json;
use super::level::LogFilter;
use super::queue::LogQueue;
use super::text::{self, Colours};
use crate::settings::Level;
use chrono::{DateTime, Datelike, Timelike, Utc};
use portcullis_ports::Clock;
use portcullis_telemetry::TraceId;
use std::cell::Cell;
use std::fmt::Arguments;
use std::sync::Arc;
use tracing::field::Visit;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Span field and line member with the request id.
pub(super) const REQUEST_ID: &str = "request_id";
const TRACE_ID: &str = "trace_id";

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
        keep(|visitor| attributes.record(visitor), id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        keep(|visitor| values.record(visitor), id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Taken, not borrowed: formatting a field may itself log.
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        event_line(&mut line, self.style, self.clock.now(), event, &context);
        self.queue.push(&line);
        if line.capacity() <= MAX_KEPT {
            LINE.try_with(|kept| kept.set(line)).ok();
        }
    }
}

fn keep<S: Subscriber + for<'a> LookupSpan<'a>>(
    record: impl FnOnce(&mut dyn Visit),
    id: &Id,
    context: &Context<'_, S>,
) {
    let mut request_id = Vec::new();
    record(&mut OneField(REQUEST_ID, |value: Arguments<'_>| {
        request_id.clear();
        json::printed(&mut request_id, value);
    }));
    if !request_id.is_empty()
        && let Some(span) = context.span(id)
    {
        span.extensions_mut().replace(RequestId(request_id));
    }
}

/// Appends the line of an event.
fn event_line<S: Subscriber + for<'a> LookupSpan<'a>>(
    line: &mut Vec<u8>,
    style: Style,
    now: DateTime<Utc>,
    event: &Event<'_>,
    context: &Context<'_, S>,
) {
    head(line, style, now, (*event.metadata().level()).into(), event.metadata().target());
    let mut has_message = false;
    event.record(&mut OneField(MESSAGE, |text: Arguments<'_>| {
        has_message = true;
        message(line, style, text);
    }));
    if !has_message {
        message(line, style, format_args!(""));
    }
    let mut ids = String::new();
    let inside = with_request(event, context, |request_id, trace| match style {
        Style::Json => {
            line.extend_from_slice(br#","request_id":"#);
            line.extend_from_slice(request_id);
            if let Some(trace) = trace {
                json::literal(line, format_args!(r#","trace_id":"{}""#, trace.0));
            }
        }
        Style::Text(_) => {
            // The JSON form is ASCII without control characters.
            ids = format!(" {REQUEST_ID}={}", String::from_utf8_lossy(request_id).trim_matches('"'));
            ids.extend(trace.map(|trace| format!(" {TRACE_ID}={}", trace.0)));
        }
    });
    // What event fields cannot overwrite.
    let reserved: &[&str] = match (style, inside) {
        (Style::Json, false) => &["timestamp", "level", "name", MESSAGE],
        (Style::Json, true) => &["timestamp", "level", "name", MESSAGE, REQUEST_ID, TRACE_ID],
        (Style::Text(_), false) => &[MESSAGE],
        (Style::Text(_), true) => &[MESSAGE, REQUEST_ID, TRACE_ID],
    };
    event.record(&mut OtherFields { line, style, reserved });
    match style {
        Style::Json => line.push(b'}'),
        Style::Text(colours) => colours.dim(line, &ids),
    }
    line.push(b'\n');
}

/// Appends the line that reports dropped lines.
pub(super) fn dropped_line(line: &mut Vec<u8>, style: Style, now: DateTime<Utc>, dropped: u64) {
    head(line, style, now, Level::Warning, "app");
    message(line, style, format_args!("{dropped} log lines were dropped"));
    if style == Style::Json {
        json::literal(line, format_args!(r#","dropped":{dropped}}}"#));
    }
    line.push(b'\n');
}

/// Appends the time, the level and the name.
fn head(line: &mut Vec<u8>, style: Style, now: DateTime<Utc>, level: Level, name: &str) {
    if let Style::Text(colours) = style {
        colours.dim(line, &format!("{} ", now.format("%Y-%m-%dT%H:%M:%S%.3fZ")));
        colours.level(line, level);
        return colours.dim(line, &format!(" {name}: "));
    }
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

fn message(line: &mut Vec<u8>, style: Style, text: Arguments<'_>) {
    match style {
        Style::Json => {
            line.extend_from_slice(br#","message":"#);
            json::printed(line, text);
        }
        Style::Text(_) => text::message(line, &text.to_string()),
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
