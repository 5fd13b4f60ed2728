//! The pool with a kernel that the test holds back, so that nothing hangs on time.

use super::*;
use crate::{key::Key, stored::Salt};
use std::{
    sync::{Barrier, Mutex, mpsc},
    thread,
};

fn size(threads: usize, waiting: usize) -> PoolSize {
    let (threads, waiting) = (NonZeroUsize::new(threads).unwrap(), NonZeroUsize::new(waiting).unwrap());
    PoolSize { threads, waiting, retry_after: Duration::from_secs(2) }
}

/// A job that the kernel knows by its salt.
fn job(number: u8) -> Computation {
    let cost = Cost::new(4).unwrap();
    Computation { key: Key::plain("x"), salt: Salt([number; 16]), cost, no_faster_than: cost }
}

const BUSY: HasherError = HasherError::Busy { retry_after: Duration::from_secs(2) };

#[test]
fn a_full_queue_refuses_at_once_and_the_rest_is_done_in_order() {
    let (starts, started) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let (starts, gate) = (Mutex::new(starts), Mutex::new(gate));
    let kernel = move |computation: &Computation| {
        starts.lock().unwrap().send(computation.salt.0[0]).unwrap();
        gate.lock().unwrap().recv().unwrap();
        [computation.salt.0[0]; 23]
    };
    let pool = Pool::start(size(1, 2), Arc::new(kernel)).unwrap();
    thread::scope(|scope| {
        let mut calls = Vec::new();
        for number in 1..=3 {
            let pool = &pool;
            calls.push(scope.spawn(move || pool.run(job(number))));
            // The first is under way, the others wait, in this order, before the next comes.
            if number == 1 {
                assert_eq!(started.recv().unwrap(), 1);
            } else {
                while pool.queue.len() < usize::from(number) - 1 {
                    thread::yield_now();
                }
            }
        }
        assert_eq!(pool.run(job(4)), Err(BUSY));
        for _ in 1..=3 {
            go.send(()).unwrap();
        }
        assert_eq!([started.recv().unwrap(), started.recv().unwrap()], [2, 3]);
        let digests: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        assert_eq!(digests, [Ok([1; 23]), Ok([2; 23]), Ok([3; 23])]);
    });
    go.send(()).unwrap();
    assert_eq!(pool.run(job(5)), Ok([5; 23]), "there is room again");
}

#[test]
fn all_threads_work_at_once() {
    let together = Barrier::new(3);
    let kernel = move |_: &Computation| {
        together.wait();
        [0; 23]
    };
    let pool = Pool::start(size(3, 1), Arc::new(kernel)).unwrap();
    while pool.queue.idle() < 3 {
        thread::yield_now();
    }
    let pool = &pool;
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|number| scope.spawn(move || pool.run(job(number)))).collect();
        assert!(calls.into_iter().all(|call| call.join().unwrap().is_ok()));
    });
}

#[test]
fn a_job_that_panics_fails_alone() {
    let kernel = |computation: &Computation| {
        assert!(computation.salt.0[0] != 0, "job 0 panics");
        [0; 23]
    };
    let pool = Pool::start(size(1, 1), Arc::new(kernel)).unwrap();
    for _ in 0..3 {
        assert_eq!(pool.run(job(0)), Err(HasherError::Failed("the hash thread panicked".to_owned())));
        assert_eq!(pool.run(job(1)), Ok([0; 23]));
    }
}

#[test]
fn threads_have_names() {
    let kernel = |_: &Computation| {
        assert_eq!(thread::current().name(), Some("bcrypt-0"));
        [0; 23]
    };
    assert!(Pool::start(size(1, 1), Arc::new(kernel)).unwrap().run(job(1)).is_ok());
}

#[test]
fn the_room_is_reckoned_in_time() {
    let two = NonZeroUsize::new(2).unwrap();
    let seconds = Duration::from_secs(2);
    assert_eq!(PoolSize::for_wait(Cost::DEFAULT, two, seconds).waiting.get(), 16);
    assert_eq!(PoolSize::for_wait(Cost::new(14).unwrap(), two, seconds).waiting.get(), 4);
    assert_eq!(PoolSize::for_wait(Cost::new(31).unwrap(), two, seconds).waiting.get(), 1);
    assert_eq!(PoolSize::for_wait(Cost::DEFAULT, two, seconds).retry_after, seconds);
}
