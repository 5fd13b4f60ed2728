//! A semaphore that stops counting holders stuck for 8 s, so that their permits can be reused. The pool
//! drops their connections.

use parking_lot::{Condvar, Mutex};
use portcullis_ports::Clock;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Time after which a holder counts as stuck. Every statement has a shorter timeout, after which its
/// caller gets an error and releases the permit.
const STUCK_AFTER: Duration = Duration::from_secs(8);
/// Interval at which waiting callers check for stuck holders.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Interval at which a lowered limit grows by one.
const GROWTH: Duration = Duration::from_secs(2);

/// Semaphore that evicts stuck holders.
pub(crate) struct EvictingSemaphore {
    size: usize,
    clock: Arc<dyn Clock>,
    holders: Mutex<Holders>,
    left: Condvar,
}

/// State under the lock.
#[derive(Default)]
struct Holders {
    /// Start time of each permit by its id; `None` for evicted holders.
    since: BTreeMap<u64, Option<Duration>>,
    next: u64,
    /// Number of evictions so far.
    evictions: u64,
    /// Lowered limit, and the time when it was set.
    lowered: Option<(usize, Duration)>,
}

/// Permit that is released on drop.
pub(crate) struct EvictingPermit {
    gate: Arc<EvictingSemaphore>,
    number: u64,
}

impl EvictingSemaphore {
    pub(crate) fn new(size: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let size = usize::try_from(size.get()).unwrap_or(usize::MAX);
        Self { size, clock, holders: Mutex::default(), left: Condvar::new() }
    }

    /// Returns the number of holders and the maximum.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.holders.lock().since.len(), self.size)
    }

    /// Returns the number of evictions so far.
    pub(crate) fn evictions(&self) -> u64 {
        self.holders.lock().evictions
    }

    /// Returns the monotonic time of the semaphore's clock.
    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Lowers the limit to the current holders plus `idle`, then raises it by one every 2 s. If there
    /// are neither holders nor idle connections, returns false and changes nothing.
    pub(crate) fn lower(&self, idle: usize) -> bool {
        let now = self.clock.monotonic();
        let mut holders = self.holders.lock();
        let others = holders.since.len().saturating_add(idle);
        if others > 0 {
            holders.lowered = Some((others, now));
        }
        others > 0
    }

    /// Waits for a permit. Returns `None` after `wait`.
    pub(crate) fn enter(self: &Arc<Self>, wait: Duration) -> Option<EvictingPermit> {
        let (mut holders, mut left) = (self.holders.lock(), wait);
        loop {
            let now = self.clock.monotonic();
            if holders.admits(self.size, now) {
                let number = holders.next;
                holders.next += 1;
                holders.since.insert(number, Some(now));
                return Some(EvictingPermit { gate: Arc::clone(self), number });
            }
            if left.is_zero() {
                return None;
            }
            let slice = left.min(POLL_INTERVAL);
            let full = |holders: &mut Holders| !holders.admits(self.size, now);
            if self.left.wait_while_for(&mut holders, full, slice).timed_out() {
                left = left.saturating_sub(slice);
            }
        }
    }
}

impl Holders {
    /// Evicts stuck holders, then returns whether another holder is admitted. Leaves at most `size`
    /// evicted holders out of the count, so that the number of stuck threads stays bounded.
    fn admits(&mut self, size: usize, now: Duration) -> bool {
        for since in self.since.values_mut() {
            if since.is_some_and(|since| now.saturating_sub(since) >= STUCK_AFTER) {
                *since = None;
                self.evictions += 1;
            }
        }
        let stuck = self.since.values().filter(|since| since.is_none()).count();
        self.since.len().saturating_sub(stuck.min(size)) < self.bound(size, now)
    }

    /// Returns the current limit.
    fn bound(&mut self, size: usize, now: Duration) -> usize {
        let bound = self.lowered.map_or(size, |(lowered, since)| {
            let grown = now.saturating_sub(since).as_secs() / GROWTH.as_secs();
            lowered.saturating_add(usize::try_from(grown).unwrap_or(usize::MAX))
        });
        if bound >= size {
            self.lowered = None;
        }
        bound.min(size)
    }
}

impl Drop for EvictingPermit {
    fn drop(&mut self) {
        self.gate.holders.lock().since.remove(&self.number);
        self.gate.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use portcullis_testkit::FixedClock;

    fn gate() -> (Arc<EvictingSemaphore>, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        (Arc::new(EvictingSemaphore::new(NonZeroU32::MIN, clock.clone())), clock)
    }

    #[test]
    fn one_comes_in_when_another_leaves() {
        let (gate, _) = gate();
        let first = gate.enter(Duration::ZERO).unwrap();
        assert!(gate.enter(Duration::from_millis(1)).is_none());
        drop(first);
        assert!(gate.enter(Duration::ZERO).is_some());
    }

    #[test]
    fn a_lowered_gate_admits_as_many_as_hold_a_turn_and_grows_again() {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let gate = Arc::new(EvictingSemaphore::new(NonZeroU32::MIN.saturating_add(3), clock.clone()));
        assert!(!gate.lower(0), "nobody has a turn to wait for");
        let first = gate.enter(Duration::ZERO).unwrap();
        assert!(gate.lower(0));
        assert!(gate.enter(Duration::ZERO).is_none());
        clock.advance(Duration::from_secs(2));
        let second = gate.enter(Duration::ZERO).unwrap();
        assert!(gate.enter(Duration::ZERO).is_none());
        drop(first);
        assert!(gate.enter(Duration::ZERO).is_some());
        clock.advance(Duration::from_secs(4));
        let all: Vec<_> = std::iter::from_fn(|| gate.enter(Duration::ZERO)).collect();
        assert_eq!(all.len(), 3);
        drop(second);
    }

    #[test]
    fn who_is_stuck_is_written_off_as_often_as_there_are_places() {
        let (gate, clock) = gate();
        let stuck = gate.enter(Duration::ZERO).unwrap();
        clock.advance(Duration::from_secs(7));
        assert!(gate.enter(Duration::ZERO).is_none(), "it may still come back");
        clock.advance(Duration::from_secs(1));
        let _second = gate.enter(Duration::ZERO).unwrap();
        assert_eq!(gate.evictions(), 1);
        clock.advance(Duration::from_secs(8));
        assert!(gate.enter(Duration::ZERO).is_none(), "what is stuck is bounded");
        assert_eq!(gate.evictions(), 2);
        drop(stuck);
        assert!(gate.enter(Duration::ZERO).is_some(), "the one came back, the other is written off");
    }
}
