//! Records spans and passes them to the exporter when they end. Ignores spans of other targets and
//! those outside of any request.

use super::context::{SpanId, TraceContext, TraceId};
use super::queue::Queue;
use super::record::{Origin, Record};
use super::sampler::Sampler;
use super::{TRACES, otlp};
use portcullis_ports::{Clock, Entropy, EntropyExt};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tracing::Subscriber;
use tracing::span;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Builds traces from spans. The span of a request has its [`TraceContext`] in its extensions, for
/// logs.
///
/// Uses the same special fields as `tracing-opentelemetry`: `otel.kind = "server"` begins a trace or
/// continues that of `traceparent`; `otel.name` replaces the span's name. A span without a parent that
/// follows from others becomes a child of the first sampled one and is linked to the rest.
pub struct TraceLayer {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) sampler: Sampler,
    pub(super) queue: Arc<Queue>,
}

/// Wall-clock time that corresponds to a monotonic time. All spans of a request use the first span's
/// anchor, so a clock change cannot reorder them.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: u64,
    monotonic: Duration,
}

/// State of a traced span.
struct Kept {
    context: TraceContext,
    anchor: Anchor,
    /// `None` if the trace is not sampled.
    record: Option<Box<Record>>,
    /// Time of the response, in nanoseconds since 1970.
    end: Option<u64>,
}

/// Span without a parent. It is exported only if it later follows from another span.
struct Orphan(Box<Record>);

impl TraceLayer {
    fn server(&self, attributes: &span::Attributes<'_>, origin: &Origin) -> Kept {
        let trace = origin.caller.map_or_else(|| TraceId(self.random()), |caller| caller.trace);
        let sampled = self.sampler.samples(trace, origin.caller.as_ref());
        let wall = u64::try_from(self.clock.now().timestamp_nanos_opt().unwrap_or_default()).unwrap_or_default();
        let anchor = Anchor { wall, monotonic: self.clock.monotonic() };
        let record = sampled.then(|| {
            let parent = origin.caller.map(|caller| caller.span);
            let (server, remote) = (true, parent.is_some());
            Box::new(Record { server, remote, ..begun(attributes, parent, wall) })
        });
        // An unsampled span is never exported and needs no id.
        let span = if sampled { SpanId(self.random()) } else { SpanId([0; 8]) };
        Kept { context: TraceContext { trace, span, sampled }, anchor, record, end: None }
    }

    fn child(&self, attributes: &span::Attributes<'_>, (parent, anchor): (TraceContext, Anchor)) -> Kept {
        let record = parent.sampled.then(|| Box::new(begun(attributes, Some(parent.span), self.time(&anchor))));
        let span = if parent.sampled { SpanId(self.random()) } else { parent.span };
        Kept { context: TraceContext { span, ..parent }, anchor, record, end: None }
    }

    /// Returns random bytes that are not all zero, because an all-zero id is invalid.
    fn random<const N: usize>(&self) -> [u8; N] {
        loop {
            let bytes = self.entropy.array();
            if bytes != [0; N] {
                return bytes;
            }
        }
    }

    fn time(&self, anchor: &Anchor) -> u64 {
        let passed = self.clock.monotonic().saturating_sub(anchor.monotonic);
        anchor.wall.saturating_add(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Turns an orphan into a child of the span that it follows from.
    fn adopt(&self, mut record: Box<Record>, (parent, anchor): (TraceContext, Anchor)) -> Kept {
        record.parent = Some(parent.span);
        record.start = self.time(&anchor);
        let context = TraceContext { span: SpanId(self.random()), ..parent };
        Kept { context, anchor, record: Some(record), end: None }
    }
}

fn begun(attributes: &span::Attributes<'_>, parent: Option<SpanId>, start: u64) -> Record {
    let mut record = Record {
        name: attributes.metadata().name().to_owned(),
        parent,
        server: false,
        remote: false,
        start,
        attributes: Vec::new(),
        links: Vec::new(),
        dropped_links: 0,
    };
    attributes.record(&mut record);
    record
}

/// Returns the context and anchor of a span, or `None` if it is not traced.
fn place<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<(TraceContext, Anchor)> {
    span.extensions().get::<Kept>().map(|kept| (kept.context, kept.anchor))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| span.metadata().target() == TRACES) else { return };
        let mut origin = Origin::default();
        attributes.record(&mut origin);
        let kept = if origin.server {
            self.server(attributes, &origin)
        } else if attributes.is_root() {
            span.extensions_mut().insert(Orphan(Box::new(begun(attributes, None, 0))));
            return;
        } else {
            let Some(parent) = span.scope().skip(1).find_map(|ancestor| place(&ancestor)) else { return };
            self.child(attributes, parent)
        };
        let mut extensions = span.extensions_mut();
        if origin.server {
            extensions.insert(kept.context);
        }
        extensions.insert(kept);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(Kept { record: Some(record), end, anchor, .. }) = extensions.get_mut() else { return };
        values.record(&mut **record);
        if end.is_none() && record.answered() {
            *end = Some(self.time(anchor));
        }
    }

    fn on_follows_from(&self, id: &span::Id, follows: &span::Id, context: Context<'_, S>) {
        let (Some(span), Some(other)) = (context.span(id), context.span(follows)) else { return };
        let Some((place, anchor)) = place(&other).filter(|(place, _)| place.sampled) else { return };
        let is_child = other.extensions().get::<Kept>().and_then(|kept| kept.record.as_ref()?.parent);
        let mut extensions = span.extensions_mut();
        if let Some(Orphan(record)) = extensions.remove() {
            extensions.insert(self.adopt(record, (place, anchor)));
        } else if let Some(Kept { context, record: Some(record), .. }) = extensions.get_mut()
            && is_child != Some(context.span)
        {
            record.link(place);
        }
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(kept) = span.extensions_mut().remove::<Kept>() else { return };
        if let Some(record) = kept.record {
            let end = kept.end.unwrap_or_else(|| self.time(&kept.anchor));
            self.queue.push(otlp::span(&kept.context, &record, end));
        }
    }
}

impl fmt::Debug for TraceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceLayer").field("sampler", &self.sampler).finish_non_exhaustive()
    }
}
