//! A fair mutex: waiters get the value in FIFO order, with a timeout.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// Mutex that passes a `T` from holder to holder in FIFO order. If a holder panics after taking the
/// value out, the next one gets `T::default()`.
pub(super) struct FairMutex<T>(Mutex<State<T>>);

struct State<T> {
    idle: Option<T>,
    waiting: VecDeque<Arc<Waiter<T>>>,
}

/// Waiting caller, and the value once it was handed over.
struct Waiter<T> {
    handed: Mutex<Option<T>>,
    turn: Condvar,
}

/// Guard that passes the value on when dropped.
pub(super) struct FairMutexGuard<'t, T: Default> {
    mutex: &'t FairMutex<T>,
    thing: T,
    over: bool,
}

impl<T: Default> FairMutex<T> {
    pub(super) fn new(thing: T) -> Self {
        Self(Mutex::new(State { idle: Some(thing), waiting: VecDeque::new() }))
    }

    /// Waits for the value. Returns `None` after `wait`.
    pub(super) fn acquire(&self, wait: Duration) -> Option<FairMutexGuard<'_, T>> {
        let ticket = {
            let mut state = self.0.lock();
            if let Some(thing) = state.idle.take() {
                return Some(FairMutexGuard { mutex: self, thing, over: false });
            }
            let ticket = Arc::new(Waiter { handed: Mutex::new(None), turn: Condvar::new() });
            state.waiting.push_back(Arc::clone(&ticket));
            ticket
        };
        let in_time = {
            let mut handed = ticket.handed.lock();
            ticket.turn.wait_while_for(&mut handed, |handed| handed.is_none(), wait);
            handed.take()
        };
        let thing = in_time.or_else(|| self.leave(&ticket))?;
        Some(FairMutexGuard { mutex: self, thing, over: false })
    }

    /// Leaves the queue. Returns the value if it was handed over at the last moment.
    fn leave(&self, ticket: &Arc<Waiter<T>>) -> Option<T> {
        let mut state = self.0.lock();
        state.waiting.retain(|other| !Arc::ptr_eq(other, ticket));
        ticket.handed.lock().take()
    }

    /// Returns the number of waiters.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().waiting.len()
    }

    fn pass_on(&self, thing: T) {
        let mut state = self.0.lock();
        if let Some(thing) = state.hand_to_next(thing) {
            state.idle = Some(thing);
        }
    }
}

impl<T> State<T> {
    /// Gives the value to the longest waiter, or returns it if there is none.
    fn hand_to_next(&mut self, thing: T) -> Option<T> {
        let Some(next) = self.waiting.pop_front() else { return Some(thing) };
        *next.handed.lock() = Some(thing);
        next.turn.notify_one();
        None
    }
}

impl<T: Default> FairMutexGuard<'_, T> {
    /// Passes the value to the longest waiter. If there is none, returns the guard.
    pub(super) fn hand_on(mut self) -> Option<Self> {
        let thing = mem::take(&mut self.thing);
        let kept = self.mutex.0.lock().hand_to_next(thing);
        self.over = kept.is_none();
        self.thing = kept?;
        Some(self)
    }
}

impl<T: Default> Drop for FairMutexGuard<'_, T> {
    fn drop(&mut self) {
        if !self.over {
            self.mutex.pass_on(mem::take(&mut self.thing));
        }
    }
}

impl<T: Default> Deref for FairMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T: Default> DerefMut for FairMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn turns_come_in_the_order_of_asking() {
        let mutex = FairMutex::new(0);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let first = mutex.acquire(LONG).unwrap();
            for number in 0..8 {
                let (mutex, order) = (&mutex, &order);
                scope.spawn(move || {
                    let _turn = mutex.acquire(LONG).unwrap();
                    order.lock().push(number);
                });
                while mutex.waiting() <= number {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(*order.lock(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn whoever_waits_too_long_leaves_the_queue() {
        let mutex = FairMutex::new(7);
        let first = mutex.acquire(LONG).unwrap();
        assert!(mutex.acquire(Duration::from_millis(1)).is_none());
        assert_eq!(mutex.waiting(), 0);
        drop(first);
        assert_eq!(mutex.acquire(Duration::ZERO).as_deref(), Some(&7));
    }

    #[test]
    fn the_turn_goes_on_where_nobody_waits() {
        let mutex = FairMutex::new(7);
        let turn = mutex.acquire(LONG).unwrap().hand_on().unwrap();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| mutex.acquire(LONG).map(|turn| *turn));
            while mutex.waiting() == 0 {
                std::thread::yield_now();
            }
            assert!(turn.hand_on().is_none(), "the next has it");
            assert_eq!(next.join().unwrap(), Some(7));
        });
        assert_eq!(mutex.acquire(LONG).as_deref(), Some(&7));
    }

    #[test]
    fn a_thing_taken_by_whoever_panics_is_made_anew() {
        let mutex = FairMutex::new(7);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut turn = mutex.acquire(LONG).unwrap();
            assert_eq!(mem::take(&mut *turn), 7);
            std::panic::resume_unwind(Box::new("on purpose"))
        }));
        assert!(outcome.is_err());
        assert_eq!(mutex.acquire(LONG).as_deref(), Some(&0));
    }

    #[test]
    fn nobody_holds_it_beside_another() {
        let mutex = FairMutex::new(0_u32);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let mutex = &mutex;
                scope.spawn(move || {
                    for _ in 0..200 {
                        // Odd threads time out now and then.
                        let wait = if thread % 2 == 0 { LONG } else { Duration::from_micros(50) };
                        if let Some(mut turn) = mutex.acquire(wait) {
                            let seen = mem::replace(&mut *turn, u32::MAX);
                            assert_ne!(seen, u32::MAX);
                            std::thread::yield_now();
                            *turn = seen + 1;
                        }
                    }
                });
            }
        });
        assert!(mutex.acquire(Duration::ZERO).is_some_and(|turn| *turn >= 800));
    }
}
