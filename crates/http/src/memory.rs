//! A bound on the memory that unfinished requests take, over all connections: each may be as large
//! as 128 KiB, and a client that never ends one pays nothing for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all large requests may take together, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// This much of a request is not counted. Nearly all are smaller, so that large ones, unfinished
/// ones too, never stand in their way.
const FREE_BYTES: usize = 8 * 1024;

/// The bytes that unfinished requests have taken beyond their first 8 KiB.
#[derive(Debug, Default)]
pub(crate) struct RequestMemory(AtomicUsize);

/// What one connection has received of its request, and taken of the memory. Given back when
/// dropped.
#[derive(Debug)]
pub(crate) struct Received {
    memory: Arc<RequestMemory>,
    bytes: usize,
}

impl Received {
    pub(crate) fn new(memory: Arc<RequestMemory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Counts bytes; whether there was memory for them.
    pub(crate) fn add(&mut self, count: usize) -> bool {
        let more = (self.bytes + count).saturating_sub(FREE_BYTES) - self.taken();
        let used = &self.memory.0;
        let fits = |used: usize| used.checked_add(more).filter(|used| *used <= MAX_BYTES);
        let granted = more == 0 || used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if granted {
            self.bytes += count;
        }
        granted
    }

    /// Begins a new request.
    pub(crate) fn clear(&mut self) {
        self.memory.0.fetch_sub(self.taken(), Ordering::Relaxed);
        self.bytes = 0;
    }

    fn taken(&self) -> usize {
        self.bytes.saturating_sub(FREE_BYTES)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_requests_share_a_bound_and_small_ones_always_pass() {
        let memory = Arc::new(RequestMemory::default());
        let received = || Received::new(Arc::clone(&memory));
        let mut large = Vec::new();
        loop {
            let mut next = received();
            if !(next.add(FREE_BYTES) && next.add(128 * 1024)) {
                break;
            }
            large.push(next);
        }
        assert_eq!(large.len(), MAX_BYTES / (128 * 1024));
        let mut small = received();
        assert!(small.add(1) && small.add(FREE_BYTES - 1) && !small.add(1));
        large[0].clear();
        assert!(small.add(1) && small.add(128 * 1024 - 1) && !small.add(1));
        small.clear();
        assert!(large[0].add(1000));
        large.clear();
        drop(small);
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
    }
}
