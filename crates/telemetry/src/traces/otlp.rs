//! Encodes spans as OTLP: `opentelemetry/proto/trace/v1/trace.proto`, version 1.

use super::context::TraceContext;
use super::exporter::Resource;
use super::protobuf::Message;
use super::record::{Record, Value};

const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const STATUS_ERROR: u64 = 2;
/// Span flags: the trace is sampled; `IS_REMOTE` is meaningful; the parent is in another process.
const SAMPLED: u32 = 1;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Encodes a span that has ended.
pub(super) fn span(context: &TraceContext, record: &Record, end: u64) -> Vec<u8> {
    let mut span = Message::default();
    span.bytes(1, &context.trace.0);
    span.bytes(2, &context.span.0);
    if let Some(parent) = &record.parent {
        span.bytes(4, &parent.0);
    }
    span.bytes(5, record.name.as_bytes());
    span.uint(6, if record.server { SERVER } else { INTERNAL });
    span.fixed64(7, record.start);
    span.fixed64(8, end.max(record.start));
    record.attributes.iter().for_each(|(key, value)| attribute(&mut span, 9, key, value));
    for link in &record.links {
        span.message(13, |message| {
            message.bytes(1, &link.trace.0);
            message.bytes(2, &link.span.0);
            message.fixed32(6, SAMPLED | HAS_IS_REMOTE);
        });
    }
    if record.dropped_links > 0 {
        span.uint(14, record.dropped_links);
    }
    if record.failed() {
        span.message(15, |status| status.uint(3, STATUS_ERROR));
    }
    span.fixed32(16, SAMPLED | HAS_IS_REMOTE | if record.remote { IS_REMOTE } else { 0 });
    span.0
}

/// Encodes a request with spans, for `/v1/traces`.
pub(super) fn request(resource: &Resource, spans: &[Vec<u8>]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        of_resource.message(1, |message| {
            for (key, value) in resource.attributes() {
                attribute(message, 1, key, &Value::Text(value.to_owned()));
            }
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.bytes(1, b"portcullis");
                scope.bytes(2, resource.version.as_bytes());
            });
            spans.iter().for_each(|span| of_scope.bytes(2, span));
        });
    });
    request.0
}

fn attribute(message: &mut Message, field: u32, key: &str, value: &Value) {
    message.message(field, |pair| {
        pair.bytes(1, key.as_bytes());
        pair.message(2, |any| match value {
            Value::Text(text) => any.bytes(1, text.as_bytes()),
            Value::Number(number) => any.uint(3, *number),
            Value::Real(number) => any.fixed64(4, number.to_bits()),
        });
    });
}
