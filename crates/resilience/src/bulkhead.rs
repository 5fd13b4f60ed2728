//! A bound on how many calls run at once and how many wait, so that one slow part cannot take
//! every thread. How long a call may take is left to the call.

use crate::sync::{Arc, Condvar, Mutex, lock, wait};
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;

/// Bounds how many calls run at once and how many wait for their turn; past both, a call is
/// refused at once. Who waits is served in order of arrival. Clones share the bound.
///
/// ```
/// use portcullis_resilience::ConcurrencyLimit;
/// use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
/// let slot = limit.acquire()?;
/// assert!(limit.acquire().is_err(), "one runs, none may wait");
/// drop(slot);
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

/// As many calls run and wait as may.
///
/// ```
/// assert_eq!(portcullis_resilience::BulkheadFull.to_string(), "too many calls are waiting");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls are waiting")]
pub struct BulkheadFull;

/// How many calls run and wait.
///
/// ```
/// use portcullis_resilience::{ConcurrencyLimit, BulkheadLoad};
/// # use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 8);
/// assert_eq!(limit.load(), BulkheadLoad { running: 0, waiting: 0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadLoad {
    /// Calls that run.
    pub running: usize,
    /// Calls that wait.
    pub waiting: usize,
}

/// A place to run one call in. Dropped, also by a panic, it goes to the next who waits.
///
/// ```
/// # use portcullis_resilience::{BulkheadFull, ConcurrencyLimit};
/// # use std::num::NonZeroUsize;
/// let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 8);
/// let slot = limit.acquire()?;
/// assert_eq!(limit.load().running, 1);
/// drop(slot);
/// assert_eq!(limit.load().running, 0);
/// # Ok::<(), BulkheadFull>(())
/// ```
#[must_use = "a slot that is dropped is free for the next call"]
pub struct BulkheadPermit {
    shared: Arc<Shared>,
}

impl ConcurrencyLimit {
    /// Lets `max_running` calls run at once and `max_waiting` more wait; 0 for none.
    #[must_use]
    pub fn new(max_running: NonZeroUsize, max_waiting: usize) -> Self {
        let (places, changed) = (Mutex::new(Places::default()), Condvar::new());
        Self { shared: Arc::new(Shared { max_running: max_running.get(), max_waiting, places, changed }) }
    }

    /// A place to run in, waited for if need be and if there is room to wait.
    ///
    /// # Errors
    /// [`BulkheadFull`], at once, when there is none.
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
            // A second place may have become free before the second in the queue was the first.
            shared.changed.notify_all();
        }
        places.running += 1;
        Ok(BulkheadPermit { shared: Arc::clone(&self.shared) })
    }

    /// Runs a call in a place.
    ///
    /// # Errors
    /// [`BulkheadFull`], when it did not run.
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

    /// How many calls run and wait now.
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
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
