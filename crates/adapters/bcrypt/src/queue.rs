//! A bounded queue, first in, first out. A plain list under a lock and no channel, so that a
//! thread can look at what else waits and take several at once.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Things that wait for a thread.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    room: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// How many threads wait for something to do.
    idle: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// A queue in which up to `room` things wait while all threads are busy.
    pub(crate) fn new(room: NonZeroUsize) -> Self {
        let state = State { waiting: VecDeque::new(), idle: 0, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), room: room.get() }
    }

    /// Adds a thing, unless the queue is full or closed; whether it was added. What an idle
    /// thread is about to take does not count as waiting.
    pub(crate) fn push(&self, thing: T) -> bool {
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= self.room.saturating_add(state.idle) {
            return false;
        }
        state.waiting.push_back(thing);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// The thing that has waited longest; waits for one, and is `None` once the queue is closed
    /// and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(thing) = state.waiting.pop_front() {
                return Some(thing);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Takes no more, and sends the threads home when nothing is left.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.lock().idle
    }

    // Nothing panics while it holds the lock, so a poisoned one holds a whole state.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn queue(room: usize) -> Queue<u32> {
        Queue::new(NonZeroUsize::new(room).unwrap())
    }

    #[test]
    fn first_in_is_first_out_and_no_more_than_fit() {
        let queue = queue(2);
        assert!(queue.push(1) && queue.push(2) && !queue.push(3));
        assert_eq!(queue.pop(), Some(1));
        assert!(queue.push(4) && !queue.push(5));
        assert_eq!((queue.pop(), queue.pop()), (Some(2), Some(4)));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_over() {
        let queue = queue(2);
        assert!(queue.push(1));
        queue.close();
        assert!(!queue.push(2));
        assert_eq!((queue.pop(), queue.pop()), (Some(1), None));
    }

    #[test]
    fn idle_threads_make_room() {
        let queue = queue(1);
        queue.lock().idle = 2;
        assert!(queue.push(1) && queue.push(2) && queue.push(3) && !queue.push(4));
    }

    #[test]
    fn a_thread_that_waits_is_woken() {
        let queue = queue(1);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| (queue.pop(), queue.pop()));
            while queue.lock().idle == 0 {
                thread::yield_now();
            }
            assert!(queue.push(1));
            while queue.lock().idle == 0 {
                thread::yield_now();
            }
            queue.close();
            assert_eq!(waiting.join().unwrap(), (Some(1), None));
        });
    }
}
