//! Handle that wakes and stops the threads of a worker.

use parking_lot::{Condvar, Mutex};
use portcullis_ports::OutboxNotifier;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of pending notifications. More would wake threads for nothing.
const REMEMBERED: usize = 64;

/// Wakes a thread of its worker. Clones share one state. Notifying never blocks, and a notification
/// while all threads are busy is not lost.
///
/// ```
/// use portcullis_ports::OutboxNotifier;
/// use portcullis_worker::Notifier;
/// let notifier = Notifier::default();
/// let observer: std::sync::Arc<dyn OutboxNotifier> = std::sync::Arc::new(notifier.clone());
/// observer.notify();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Notifier(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rings: usize,
    stopping: bool,
    /// Number of threads that have not ended.
    running: usize,
}

impl Notifier {
    /// Wakes one thread.
    pub fn notify_one(&self) {
        let mut state = self.0.state.lock();
        state.rings = state.rings.saturating_add(1).min(REMEMBERED);
        drop(state);
        // `ended` waits on the same condition variable, so waking a single waiter could wake `ended`
        // instead of a worker thread.
        self.0.changed.notify_all();
    }

    /// Waits for a notification, at most for `longest`. Returns false if the worker is stopping.
    pub(crate) fn wait(&self, longest: Duration) -> bool {
        self.sleep(longest, true)
    }

    /// Waits for `length`, regardless of notifications. Returns false if the worker is stopping.
    pub(crate) fn pause(&self, length: Duration) -> bool {
        self.sleep(length, false)
    }

    fn sleep(&self, length: Duration, by_ring: bool) -> bool {
        let waits = |state: &mut State| !(state.stopping || by_ring && state.rings > 0);
        let mut state = self.0.state.lock();
        self.0.changed.wait_while_for(&mut state, waits, length);
        if by_ring {
            state.rings = state.rings.saturating_sub(1);
        }
        !state.stopping
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.state.lock().stopping
    }

    pub(crate) fn stop(&self) {
        self.0.state.lock().stopping = true;
        self.0.changed.notify_all();
    }

    /// Registers a running thread until the returned guard is dropped.
    pub(crate) fn register(&self) -> RunningGuard {
        let mut state = self.0.state.lock();
        state.running = state.running.saturating_add(1);
        RunningGuard(self.clone())
    }

    /// Waits up to `within` for all threads to end. Returns whether they did.
    pub(crate) fn ended(&self, within: Duration) -> bool {
        let mut state = self.0.state.lock();
        self.0.changed.wait_while_for(&mut state, |state| state.running > 0, within);
        state.running == 0
    }
}

impl OutboxNotifier for Notifier {
    fn notify(&self) {
        self.notify_one();
    }
}

/// Marks a thread as running until dropped.
pub(crate) struct RunningGuard(Notifier);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut state = self.0.0.state.lock();
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.0.0.changed.notify_all();
    }
}
