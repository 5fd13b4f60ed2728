//! FIFO queue for the hash threads. Uses a list under a lock instead of a channel, so that a thread can
//! take several similar jobs at once.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// Queue of jobs that wait for a thread.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

/// State under the lock.
struct State<T> {
    waiting: VecDeque<T>,
    /// Number of threads waiting for a job.
    idle: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), idle: 0, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Adds a job. Returns `false` if the queue is closed or `room` jobs wait already. Jobs that idle
    /// threads are about to take do not count.
    pub(crate) fn push(&self, thing: T, room: usize) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.waiting.len() >= room.saturating_add(state.idle) {
            return false;
        }
        state.waiting.push_back(thing);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Waits for a job and returns it, together with up to `most - 1` later jobs that are `alike`, in
    /// order. Leaves enough jobs for the idle threads, and drops jobs for which `is_over` is true.
    /// Returns `None` once the queue is closed and empty.
    pub(crate) fn pop(
        &self,
        most: usize,
        alike: impl Fn(&T, &T) -> bool,
        is_over: impl Fn(&T) -> bool,
    ) -> Option<Vec<T>> {
        let mut state = self.state.lock();
        loop {
            state.waiting.retain(|thing| !is_over(thing));
            if let Some(first) = state.waiting.pop_front() {
                let share = (state.waiting.len() + 1).div_ceil(state.idle + 1).min(most);
                return Some(state.take_alike(first, share, alike));
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            self.arrived.wait(&mut state);
            state.idle -= 1;
        }
    }

    /// Refuses new jobs. Threads stop once the queue is empty.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Returns the number of waiting jobs.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.state.lock().idle
    }
}

impl<T> State<T> {
    fn take_alike(&mut self, first: T, most: usize, alike: impl Fn(&T, &T) -> bool) -> Vec<T> {
        let mut taken = vec![first];
        let mut at = 0;
        while taken.len() < most && at < self.waiting.len() {
            let fits = taken.first().zip(self.waiting.get(at)).is_some_and(|(first, other)| alike(first, other));
            if fits { taken.extend(self.waiting.remove(at)) } else { at += 1 }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Pops numbers, which are alike if both are even or both are odd.
    fn pop(queue: &Queue<u32>, most: usize) -> Option<Vec<u32>> {
        queue.pop(most, |one, other| one % 2 == other % 2, |number| *number > 90)
    }

    fn queue(things: impl IntoIterator<Item = u32>) -> Queue<u32> {
        let queue = Queue::new();
        things.into_iter().for_each(|thing| assert!(queue.push(thing, usize::MAX)));
        queue
    }

    #[test]
    fn first_in_is_first_out_and_no_more_than_fit() {
        let queue = queue([]);
        assert!(queue.push(1, 2) && queue.push(2, 2) && !queue.push(3, 2));
        assert_eq!(pop(&queue, 1), Some(vec![1]));
        assert!(queue.push(4, 2) && !queue.push(5, 2) && queue.push(5, 3));
        assert_eq!((pop(&queue, 1), pop(&queue, 1)), (Some(vec![2]), Some(vec![4])));
    }

    #[test]
    fn those_alike_go_together_and_the_rest_keeps_its_place() {
        let queue = queue(1..=9);
        assert_eq!(pop(&queue, 4), Some(vec![1, 3, 5, 7]));
        assert_eq!(pop(&queue, 3), Some(vec![2, 4, 6]));
        assert_eq!(pop(&queue, 6), Some(vec![8]));
        assert_eq!(pop(&queue, 6), Some(vec![9]));
    }

    #[test]
    fn those_that_are_over_are_dropped() {
        let queue = queue([91, 1, 93, 3, 95]);
        assert_eq!(pop(&queue, 2), Some(vec![1, 3]));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn idle_threads_are_left_their_share() {
        let queue = queue([1, 3, 5]);
        queue.state.lock().idle = 1;
        assert_eq!(pop(&queue, 6), Some(vec![1, 3]));
        assert_eq!(pop(&queue, 6), Some(vec![5]));
        queue.state.lock().idle = 2;
        (0..20).for_each(|_| assert!(queue.push(1, 100)));
        assert_eq!(pop(&queue, 6).unwrap().len(), 6, "a third of twenty is more than fits");
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_over() {
        let queue = queue([1]);
        queue.close();
        assert!(!queue.push(2, 2));
        assert_eq!((pop(&queue, 1), pop(&queue, 1)), (Some(vec![1]), None));
    }

    #[test]
    fn idle_threads_make_room() {
        let queue = queue([]);
        queue.state.lock().idle = 2;
        assert!(queue.push(1, 1) && queue.push(2, 1) && queue.push(3, 1) && !queue.push(4, 1));
    }

    #[test]
    fn a_thread_that_waits_is_woken() {
        let queue = queue([]);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| (pop(&queue, 1), pop(&queue, 1)));
            while queue.state.lock().idle == 0 {
                thread::yield_now();
            }
            assert!(queue.push(1, 1));
            while queue.state.lock().idle == 0 {
                thread::yield_now();
            }
            queue.close();
            assert_eq!(waiting.join().unwrap(), (Some(vec![1]), None));
        });
    }
}
