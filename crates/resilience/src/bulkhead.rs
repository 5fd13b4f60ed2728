//! Limit on running and waiting calls, so that one slow dependency cannot take every thread. Calls need
//! their own timeouts.

use crate::sync::{Arc, Condvar, Mutex, lock, wait};
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;

/// Bulkhead: limits how many calls run and how many wait at the same time. Further calls are refused
/// at once. Waiting calls run in FIFO order. Clones share the limit.
///
/// ```
/// use portcullis_resilience::ConcurrencyLimit;
/// use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
/// let permit = limit.acquire()?;
/// assert!(limit.acquire().is_err(), "one runs, none may wait");
/// drop(permit);
/// assert!(limit.acquire().is_ok());
/// # Ok::<(), portcullis_resilience::BulkheadFull>(())
/// ```
#[derive(Clone)]
pub struct ConcurrencyLimit {
    shared: Arc<Shared>,
}

struct Shared {
    max_running: usize,
    max_waiting: usize,
    places: Mutex<Places>,
    changed: Condvar,
}

#[derive(Default)]
struct Places {
    running: usize,
    queue: VecDeque<u64>,
    next_number: u64,
}

/// Error: the maximum numbers of calls are running and waiting.
///
/// ```
/// assert_eq!(portcullis_resilience::BulkheadFull.to_string(), "too many calls are waiting");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls are waiting")]
pub struct BulkheadFull;

/// Numbers of running and waiting calls.
///
/// ```
/// use portcullis_resilience::{ConcurrencyLimit, BulkheadLoad};
/// # use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 8);
/// assert_eq!(limit.load(), BulkheadLoad { running: 0, waiting: 0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadLoad {
    /// Running calls.
    pub running: usize,
    /// Waiting calls.
    pub waiting: usize,
}

/// Permit to run one call. Dropping it, even in a panic, passes it to the next waiting call.
///
/// ```
/// # use portcullis_resilience::{BulkheadFull, ConcurrencyLimit};
/// # use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 8);
/// let permit = limit.acquire()?;
/// assert_eq!(limit.load().running, 1);
/// drop(permit);
/// assert_eq!(limit.load().running, 0);
/// # Ok::<(), BulkheadFull>(())
/// ```
#[must_use = "a slot that is dropped is free for the next call"]
pub struct BulkheadPermit {
    shared: Arc<Shared>,
}

impl ConcurrencyLimit {
    /// Creates a limit of `max_running` running and `max_waiting` waiting calls. With `max_waiting` 0,
    /// no call waits.
    #[must_use]
    pub fn new(max_running: NonZeroUsize, max_waiting: usize) -> Self {
        let (places, changed) = (Mutex::new(Places::default()), Condvar::new());
        Self { shared: Arc::new(Shared { max_running: max_running.get(), max_waiting, places, changed }) }
    }

    /// Acquires a permit. Waits for one if the queue has room.
    ///
    /// # Errors
    /// Returns [`BulkheadFull`] at once if the queue is full.
    pub fn acquire(&self) -> Result<BulkheadPermit, BulkheadFull> {
        let shared = &*self.shared;
        let mut places = lock(&shared.places);
        if places.running >= shared.max_running || !places.queue.is_empty() {
            if places.queue.len() >= shared.max_waiting {
                return Err(BulkheadFull);
            }
            let number = places.next_number;
            places.next_number += 1;
            places.queue.push_back(number);
            while places.running >= shared.max_running || places.queue.front() != Some(&number) {
                places = wait(&shared.changed, places);
            }
            places.queue.pop_front();
            // Two permits may have become free before the next waiter reached the front of the queue.
            shared.changed.notify_all();
        }
        places.running += 1;
        Ok(BulkheadPermit { shared: Arc::clone(&self.shared) })
    }

    /// Runs a call while holding a permit.
    ///
    /// # Errors
    /// Returns [`BulkheadFull`] if the queue is full. The call did not run then.
    ///
    /// ```
    /// # use portcullis_resilience::{BulkheadFull, ConcurrencyLimit};
    /// # use std::num::NonZeroUsize;
    /// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 8);
    /// assert_eq!(limit.call(|| 42), Ok(42));
    /// ```
    pub fn call<T>(&self, call: impl FnOnce() -> T) -> Result<T, BulkheadFull> {
        let _slot = self.acquire()?;
        Ok(call())
    }

    /// Returns the current numbers of running and waiting calls.
    #[must_use]
    pub fn load(&self) -> BulkheadLoad {
        let places = lock(&self.shared.places);
        BulkheadLoad { running: places.running, waiting: places.queue.len() }
    }
}

impl Drop for BulkheadPermit {
    fn drop(&mut self) {
        lock(&self.shared.places).running -= 1;
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit").field("load", &self.load()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BulkheadPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadPermit").finish_non_exhaustive()
    }
}
