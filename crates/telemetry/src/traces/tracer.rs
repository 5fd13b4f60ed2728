//! Starts spans at their place in a trace, and selects the traces that are recorded.

use super::TraceSampler;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanBuilder, SpanKind, TraceContextExt, TraceId, Tracer};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{ParentBasedSampler, Sampler, SamplingResult, SdkTracer, ShouldSample, Span};
use std::collections::HashMap;

/// Field with a caller's position in a trace.
const TRACEPARENT: &str = "traceparent";

/// Tracer of the SDK that finds the parent of a span that has none in this process.
#[derive(Debug)]
pub(super) struct RequestTracer(pub(super) SdkTracer);

impl Tracer for RequestTracer {
    type Span = Span;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> Span {
        let links = builder.links.take().unwrap_or_default();
        let mut links: Vec<_> = links.into_iter().filter(|link| link.span_context.is_sampled()).collect();
        let context = if builder.span_kind == Some(SpanKind::Server) {
            builder.attributes.iter().flatten().find_map(caller)
        } else if !parent.has_active_span() && !links.is_empty() {
            Some(parent.with_remote_span_context(links.remove(0).span_context))
        } else {
            None
        };
        builder.links = Some(links);
        self.0.build_with_context(builder, context.as_ref().unwrap_or(parent))
    }
}

/// Returns the context of a caller (W3C Trace Context §3.2). Returns `None` if `traceparent` is not
/// exactly valid; a new trace begins then.
fn caller(attribute: &KeyValue) -> Option<Context> {
    let Value::String(header) = &attribute.value else { return None };
    let header = header.as_str();
    (attribute.key.as_str() == TRACEPARENT && is_strict(header)).then(|| {
        let headers = HashMap::from([(TRACEPARENT.to_owned(), header.to_owned())]);
        TraceContextPropagator::new().extract_with_context(&Context::new(), &headers)
    })
}

/// Checks the form of a `traceparent`. The propagator also accepts short and signed numbers.
fn is_strict(header: &str) -> bool {
    let lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parts: Vec<_> = header.split('-').collect();
    parts.len() >= 4
        && (parts.len() == 4 || !header.starts_with("00"))
        && parts.iter().zip([2, 32, 16, 2]).all(|(part, length)| part.len() == length && lower_hex(part))
}

/// Creates the sampler. The first span of a trace in this process decides for all of them.
pub(super) fn sampler(TraceSampler { ratio, follows_callers }: TraceSampler) -> ParentBasedSampler {
    let chosen = Sampler::TraceIdRatioBased(ratio);
    let sampler = Sampler::parent_based(Requests(chosen.clone()));
    if follows_callers {
        sampler
    } else {
        sampler.with_remote_parent_sampled(chosen.clone()).with_remote_parent_not_sampled(chosen)
    }
}

/// Drops traces that do not begin with a request.
#[derive(Debug, Clone)]
struct Requests(Sampler);

impl ShouldSample for Requests {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = if *kind == SpanKind::Server { &self.0 } else { &Sampler::AlwaysOff };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::SpanContext;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(header: &str) -> Option<SpanContext> {
        let context = caller(&KeyValue::new(TRACEPARENT, header.to_owned()))?;
        Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
    }

    #[test]
    fn a_header_is_read_to_the_letter_or_not_at_all() {
        let good = read(GOOD).unwrap();
        assert_eq!((good.trace_id().to_string(), good.is_remote()), (GOOD[3..35].to_owned(), true));
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
            let header = GOOD.replace("-01", &format!("-{flags}"));
            assert_eq!(read(&header).map(|context| context.is_sampled()), Some(sampled), "{header}");
        }
        for bad in [
            "",
            "00",
            &GOOD[1..],
            &format!("{GOOD}-"),
            &format!("{GOOD} "),
            &format!(" {GOOD}"),
            &format!("{GOOD}-what-the-future-brings"),
            &GOOD.to_uppercase(),
            &GOOD.replace('-', "_"),
            &GOOD.replace("00-", "ff-"),
            &GOOD.replace("00-", "0x-"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            &GOOD.replace("b7ad6b7169203331", "b7ad6b716920333-"),
            &GOOD.replace("b7ad6b7169203331", "b7ad6b716920333g"),
            &GOOD.replace("b7ad6b7169203331", "+7ad6b7169203331"),
            &GOOD.replace("-01", "-0"),
            &GOOD.replace("-01", "-+1"),
            &GOOD.replace("c-b", "-cb"),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_parts_of_a_later_version_are_read() {
        let later = GOOD.replace("00-", "cc-");
        for good in [later.clone(), format!("{later}-"), format!("{later}-what-the-future-brings")] {
            assert_eq!(read(&good), read(GOOD), "{good}");
        }
        assert_eq!(read(&format!("{later}.what")), None);
    }
}
