//! Limit on the memory of unfinished requests over all connections. Each may take up to 128 KiB, and a
//! client can leave it unfinished at no cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum memory of all large requests together, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of each request that are not counted. Nearly all requests are smaller, so large or unfinished
/// ones never block them.
const FREE_BYTES: usize = 8 * 1024;

/// Bytes taken by unfinished requests beyond their first 8 KiB.
#[derive(Debug, Default)]
pub(crate) struct RequestMemory(AtomicUsize);

/// Bytes that a connection has received of its current request. Releases their memory when dropped.
#[derive(Debug)]
pub(crate) struct Received {
    memory: Arc<RequestMemory>,
    bytes: usize,
}

impl Received {
    pub(crate) fn new(memory: Arc<RequestMemory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Counts received bytes. Returns whether there is memory for them.
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

    /// Releases the memory for the next request.
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
