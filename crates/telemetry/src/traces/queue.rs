//! Bounded queue between the requests and the sending thread: the SDK's, whose drops this module
//! counts, since the SDK reports them only at shutdown. Never blocks.

use super::sender::Sender;
use opentelemetry::Context;
use opentelemetry::trace::Status;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Maximum number of queued spans: some 15 MB.
const CAPACITY: usize = 16_384;
/// Maximum number of spans per request: OpenTelemetry's default.
const BATCH: usize = 512;
/// Maximum time that a span waits for a full batch.
const DELAY: Duration = Duration::from_secs(1);

/// Attributes that are exported. None of them contains caller-chosen data, secrets or addresses.
const ATTRIBUTES: [&str; 8] = [
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.scheme",
    ERROR_TYPE,
    "portcullis.lane.name",
    "portcullis.lane.wait_seconds",
    "portcullis.batch.size",
];
/// Attribute whose presence marks a span as failed.
const ERROR_TYPE: &str = "error.type";

/// Numbers of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    queued: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Counts a span that enters the queue. Returns false, and counts it as dropped, if the queue is full.
    fn admit(&self) -> bool {
        let free = |queued| (queued < CAPACITY).then_some(queued + 1);
        let admitted = self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok();
        if !admitted {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Counts spans that left the queue.
    pub(super) fn take(&self, spans: usize) {
        self.queued.fetch_sub(spans, Ordering::Relaxed);
    }

    /// Counts the outcome of spans that left the queue.
    pub(super) fn end(&self, spans: usize, delivered: bool) {
        let count = if delivered { &self.sent } else { &self.dropped };
        count.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Queue and sending thread of the SDK.
#[derive(Debug)]
pub(super) struct Queue {
    /// Never full: its capacity is that of `counts`, which leave a span queued until it is sent.
    inner: BatchSpanProcessor,
    counts: Arc<Counts>,
}

impl Queue {
    pub(super) fn new(sender: Sender, counts: Arc<Counts>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(CAPACITY)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY);
        Self { inner: BatchSpanProcessor::new(sender, config.build()), counts }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        if !self.counts.admit() {
            return;
        }
        span.attributes.retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
        if span.attributes.iter().any(|attribute| attribute.key.as_str() == ERROR_TYPE) {
            span.status = Status::error("");
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_dropped_and_counted() {
        let counts = Counts::default();
        assert_eq!((0..CAPACITY + 3).filter(|_| counts.admit()).count(), CAPACITY);
        assert_eq!((counts.sent(), counts.dropped()), (0, 3));
        counts.take(2);
        counts.end(1, true);
        counts.end(1, false);
        assert_eq!((counts.sent(), counts.dropped()), (1, 4));
        assert_eq!((0..3).filter(|_| counts.admit()).count(), 2);
    }
}
