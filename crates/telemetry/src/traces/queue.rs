//! Bounded queue between the requests and the sending thread. Pushing never blocks: spans that do not
//! fit are dropped and counted.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Duration;

/// Maximum number of queued spans: about 5 MB.
pub(super) const CAPACITY: usize = 16_384;
/// Maximum number of spans per request: OpenTelemetry's default.
pub(super) const BATCH: usize = 512;

/// Spans to be sent, encoded as OTLP.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified by the first span, a full batch, or the closing of the queue.
    work: Condvar,
    /// Notified when the sender has ended.
    end: Condvar,
    capacity: usize,
    /// Maximum time that a span waits for a full batch.
    delay: Duration,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<Vec<u8>>,
    counts: Counts,
    closed: bool,
    ended: bool,
}

/// Numbers of spans sent and dropped since the start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) fn new(capacity: usize, delay: Duration) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), end: Condvar::new(), capacity, delay }
    }

    /// Queues a span, or drops it if the queue is full or closed.
    pub(super) fn push(&self, span: Vec<u8>) {
        let mut state = self.state.lock();
        if state.closed || state.spans.len() >= self.capacity {
            state.counts.dropped += 1;
            return;
        }
        state.spans.push_back(span);
        let wakes = matches!(state.spans.len(), 1 | BATCH);
        drop(state);
        if wakes {
            self.work.notify_one();
        }
    }

    /// Returns the next batch. Waits for a first span, then up to `delay` for a full batch. Returns
    /// `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Vec<u8>>> {
        let idle = |state: &mut State| state.spans.is_empty() && !state.closed;
        let mut state = self.state.lock();
        self.work.wait_while(&mut state, idle);
        let few = |state: &mut State| state.spans.len() < BATCH && !state.closed;
        self.work.wait_while_for(&mut state, few, self.delay);
        let count = state.spans.len().min(BATCH);
        let batch: Vec<_> = state.spans.drain(..count).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits before a retry. Returns false if the queue is closed and the retry should be skipped.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        self.work.wait_while_for(&mut state, |state| !state.closed, time);
        !state.closed
    }

    /// Adds the outcome of a batch to the counts.
    pub(super) fn count(&self, counts: Counts) {
        let mut state = self.state.lock();
        state.counts.sent += counts.sent;
        state.counts.dropped += counts.dropped;
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// Accepts no more spans and waits up to `within` for the sender to end. Returns whether it did.
    pub(super) fn close(&self, within: Duration) -> bool {
        let mut state = self.state.lock();
        state.closed = true;
        self.work.notify_one();
        self.end.wait_while_for(&mut state, |state| !state.ended, within);
        state.ended
    }

    /// Records that the sender has ended.
    pub(super) fn ended(&self) {
        self.state.lock().ended = true;
        self.end.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_dropped_and_counted_without_waiting() {
        let queue = Queue::new(BATCH + 1, Duration::ZERO);
        (0..BATCH + 4).for_each(|_| queue.push(vec![1]));
        assert_eq!(queue.counts(), Counts { sent: 0, dropped: 3 });
        assert_eq!(queue.take().map(|batch| batch.len()), Some(BATCH));
        assert!(!queue.close(Duration::ZERO));
        queue.push(vec![2]);
        assert_eq!(queue.counts().dropped, 4);
        assert_eq!(queue.take(), Some(vec![vec![1]]));
        assert_eq!(queue.take(), None);
        queue.ended();
        assert!(queue.close(Duration::ZERO) && !queue.pause(Duration::from_secs(60)));
    }
}
