//! Tests the pool with a kernel that the test blocks and a clock that it sets, so nothing depends on
//! timing.

use super::*;
use crate::{cost::Cost, key::Key, stored::Salt};
use chrono::DateTime;
use portcullis_testkit::FixedClock;
use std::{
    sync::{
        Barrier, Mutex,
        atomic::AtomicBool,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

const SECONDS: Duration = Duration::from_secs(2);
const BUSY: HasherError = HasherError::Busy { retry_after: SECONDS };

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(DateTime::UNIX_EPOCH))
}

/// Creates a pool whose queue holds up to `waiting` jobs.
fn pool(threads: usize, waiting: u32, kernel: Arc<Kernel>) -> Pool {
    start(threads, LaneTiming { lanes: Lanes::ONE, batch: SECONDS / waiting }, clock(), kernel)
}

fn start(threads: usize, pace: LaneTiming, clock: Arc<dyn Clock>, kernel: Arc<Kernel>) -> Pool {
    let threads = NonZeroUsize::new(threads).unwrap();
    let settings = PoolSettings { threads, lanes: None, wait: SECONDS, on_start: || () };
    Pool::start(settings, pace, clock, kernel).unwrap()
}

/// Creates a job that the kernel identifies by its salt.
fn job(number: u8) -> Computation {
    let cost = Cost::new(4).unwrap();
    Computation { key: Key::plain("x"), salt: Salt([number; 16]), cost, no_faster_than: cost }
}

fn numbers(jobs: &[&Computation]) -> Vec<u8> {
    jobs.iter().map(|job| job.salt.0[0]).collect()
}

fn digest(number: u8) -> Digest {
    Digest::new([number; 23])
}

/// Handle of a kernel that reports each batch it starts and finishes it on request.
struct Held {
    begun: Receiver<Vec<u8>>,
    go: Sender<()>,
}

fn held() -> (Held, Arc<Kernel>) {
    let ((tell, begun), (go, gate)) = (mpsc::channel(), mpsc::channel());
    let (tell, gate) = (Mutex::new(tell), Mutex::new(gate));
    let kernel = move |jobs: &[&Computation]| {
        let numbers = numbers(jobs);
        tell.lock().unwrap().send(numbers.clone()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        numbers.into_iter().map(digest).collect()
    };
    (Held { begun, go }, Arc::new(kernel))
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_the_rest_is_done_in_order() {
    let (held, kernel) = held();
    let pool = pool(1, 2, kernel);
    let stays = CancellationToken::never();
    wait_until(|| pool.shared.queue.idle() == 1);
    thread::scope(|scope| {
        let mut calls = Vec::new();
        for number in 1..=3 {
            let (pool, stays) = (&pool, &stays);
            calls.push(scope.spawn(move || pool.run(job(number), stays)));
            // The first job runs and the others wait in this order before the next one arrives.
            if number == 1 {
                assert_eq!(held.begun.recv().unwrap(), [1]);
            } else {
                wait_until(|| pool.shared.queue.len() == usize::from(number) - 1);
            }
        }
        assert_eq!(pool.run(job(4), &stays), Err(BUSY));
        for _ in 1..=3 {
            held.go.send(()).unwrap();
        }
        assert_eq!([held.begun.recv().unwrap(), held.begun.recv().unwrap()], [[2], [3]]);
        let digests: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        assert_eq!(digests, [Ok(digest(1)), Ok(digest(2)), Ok(digest(3))]);
    });
    held.go.send(()).unwrap();
    assert_eq!(pool.run(job(5), &stays), Ok(digest(5)), "there is room again");
}

/// Starts job 1, queues the others, calls `meanwhile`, and lets the kernel finish. Returns the batch
/// that started next and each caller's result.
fn behind_the_first(
    lanes: Lanes,
    clock: Arc<dyn Clock>,
    others: Vec<(u8, CancellationToken)>,
    meanwhile: impl FnOnce(&Pool),
) -> (Option<Vec<u8>>, Vec<Result<Digest, HasherError>>) {
    let (held, kernel) = held();
    let pool = start(1, LaneTiming { lanes, batch: Duration::from_millis(1) }, clock, kernel);
    let outcomes = thread::scope(|scope| {
        let first = scope.spawn(|| pool.run(job(1), &CancellationToken::never()));
        assert_eq!(held.begun.recv().unwrap(), [1]);
        let calls: Vec<_> = others
            .iter()
            .enumerate()
            .map(|(before, (number, cancellation))| {
                let call = scope.spawn(|| pool.run(job(*number), cancellation));
                wait_until(|| pool.shared.queue.len() == before + 1);
                call
            })
            .collect();
        meanwhile(&pool);
        for _ in 0..=others.len() {
            held.go.send(()).unwrap();
        }
        assert_eq!(first.join().unwrap(), Ok(digest(1)), "what was begun is finished");
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    (held.begun.try_recv().ok(), outcomes)
}

#[test]
fn those_that_wait_are_done_together_and_each_gets_its_own() {
    let others = (2..=5).map(|number| (number, CancellationToken::never())).collect();
    let (begun, outcomes) = behind_the_first(Lanes::new(4).unwrap(), clock(), others, |_| ());
    assert_eq!(begun, Some(vec![2, 3, 4, 5]));
    assert_eq!(outcomes, [2, 3, 4, 5].map(|number| Ok(digest(number))));
}

#[test]
fn a_job_whose_caller_is_gone_is_not_computed() {
    let there = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&there);
    let leaving = CancellationToken::cancelled_unless(move || asked.load(Ordering::SeqCst));
    let others = vec![(2, CancellationToken::never()), (3, leaving), (4, CancellationToken::never())];
    let clock = clock();
    let leaves_after = |time| {
        let (there, clock) = (&there, Arc::clone(&clock));
        there.store(true, Ordering::SeqCst);
        move |_: &Pool| {
            there.store(false, Ordering::SeqCst);
            clock.advance(time);
        }
    };
    let (begun, outcomes) =
        behind_the_first(Lanes::MAX, clock.clone(), others.clone(), leaves_after(CANCEL_GRACE + CANCEL_GRACE / 2));
    assert_eq!(begun, Some(vec![2, 4]));
    assert_eq!(outcomes, [Ok(digest(2)), Err(BUSY), Ok(digest(4))]);
    let (begun, _) = behind_the_first(Lanes::MAX, clock.clone(), others, leaves_after(CANCEL_GRACE / 2));
    assert_eq!(begun, Some(vec![2, 3, 4]), "its turn came at once");
}

#[test]
fn a_job_that_waited_too_long_is_not_computed() {
    let clock = clock();
    let others = vec![(2, CancellationToken::never()), (3, CancellationToken::never())];
    let passes = |time| {
        let clock = Arc::clone(&clock);
        move |_: &Pool| clock.advance(time)
    };
    let in_time = behind_the_first(Lanes::MAX, clock.clone(), others.clone(), passes(SECONDS * 3 / 2));
    assert_eq!(in_time.1, [Ok(digest(2)), Ok(digest(3))]);
    let late = behind_the_first(Lanes::MAX, clock.clone(), others, passes(SECONDS * 2));
    assert_eq!(late, (None, vec![Err(BUSY), Err(BUSY)]));
}

#[test]
fn all_threads_work_at_once() {
    let together = Barrier::new(3);
    let kernel = move |jobs: &[&Computation]| {
        together.wait();
        numbers(jobs).into_iter().map(digest).collect()
    };
    // Although there are six lanes, no thread takes a job that an idle thread could run.
    let pace = LaneTiming { lanes: Lanes::MAX, batch: Duration::from_millis(1) };
    let pool = &start(3, pace, clock(), Arc::new(kernel));
    wait_until(|| pool.shared.queue.idle() == 3);
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..3).map(|number| scope.spawn(move || pool.run(job(number), &CancellationToken::never()))).collect();
        assert!(calls.into_iter().all(|call| call.join().unwrap().is_ok()));
    });
}

#[test]
fn a_job_that_panics_fails_and_the_thread_goes_on() {
    let kernel = |jobs: &[&Computation]| {
        assert!(!numbers(jobs).contains(&0), "job 0 panics");
        numbers(jobs).into_iter().map(digest).collect()
    };
    let pool = pool(1, 1, Arc::new(kernel));
    let run = |number| {
        wait_until(|| pool.shared.queue.idle() == 1);
        pool.run(job(number), &CancellationToken::never())
    };
    for _ in 0..3 {
        assert_eq!(run(0), Err(HasherError::Failed("the hash thread panicked".to_owned())));
        assert_eq!(run(1), Ok(digest(1)));
    }
}

#[test]
fn a_panic_costs_none_of_those_made_with_it() {
    let ((first, begun), (go, gate)) = (mpsc::channel(), mpsc::channel());
    let (first, gate) = (Mutex::new(first), Mutex::new(gate));
    let together = Arc::new(Mutex::new(Vec::new()));
    let made = Arc::clone(&together);
    let kernel = move |jobs: &[&Computation]| {
        let numbers = numbers(jobs);
        made.lock().unwrap().push(numbers.clone());
        if numbers == [1] {
            first.lock().unwrap().send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        assert!(!numbers.contains(&3), "job 3 panics");
        numbers.into_iter().map(digest).collect()
    };
    let pace = LaneTiming { lanes: Lanes::MAX, batch: Duration::from_millis(1) };
    let pool = &start(1, pace, clock(), Arc::new(kernel));
    thread::scope(|scope| {
        let run = |number| scope.spawn(move || pool.run(job(number), &CancellationToken::never()));
        let mut calls = vec![run(1)];
        begun.recv().unwrap();
        for number in 2..=4 {
            calls.push(run(number));
            wait_until(|| pool.shared.queue.len() == calls.len() - 1);
        }
        go.send(()).unwrap();
        let outcomes: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        let failed = Err(HasherError::Failed("the hash thread panicked".to_owned()));
        assert_eq!(outcomes, [Ok(digest(1)), Ok(digest(2)), failed, Ok(digest(4))]);
    });
    assert_eq!(*together.lock().unwrap(), [vec![1], vec![2, 3, 4], vec![2], vec![3], vec![4]]);
}

#[test]
fn threads_have_names_and_begin_as_told() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    let kernel = |_: &[&Computation]| {
        assert_eq!(thread::current().name(), Some("bcrypt-0"));
        assert!(STARTED.load(Ordering::SeqCst));
        vec![digest(0)]
    };
    let on_start = || STARTED.store(true, Ordering::SeqCst);
    let settings = PoolSettings { threads: NonZeroUsize::MIN, lanes: None, wait: SECONDS, on_start };
    let pace = LaneTiming { lanes: Lanes::ONE, batch: Duration::from_millis(1) };
    let pool = Pool::start(settings, pace, clock(), Arc::new(kernel)).unwrap();
    assert!(pool.run(job(1), &CancellationToken::never()).is_ok());
}

#[test]
fn the_room_is_reckoned_in_time_and_follows_it() {
    let clock = clock();
    let slow = Arc::clone(&clock);
    let kernel = move |jobs: &[&Computation]| {
        slow.advance(Duration::from_millis(1400));
        numbers(jobs).into_iter().map(digest).collect()
    };
    let pace = LaneTiming { lanes: Lanes::MAX, batch: Duration::from_millis(280) };
    let pool = start(2, pace, clock, Arc::new(kernel));
    assert_eq!((pool.shared.room(), pool.places().get()), (85, 97), "2 s of 12 in 280 ms, and those 12");
    pool.shared.learn(Duration::from_millis(1400));
    assert_eq!(pool.shared.room(), 42, "2 s of 12 in 560 ms");
    pool.shared.learn(Duration::from_secs(1000));
    assert_eq!(pool.shared.room(), 1, "never none");
    for _ in 0..60 {
        pool.shared.learn(Duration::from_millis(280));
    }
    assert_eq!(pool.shared.room(), 85, "and back");
}

#[test]
fn only_full_batches_of_the_usual_cost_tell_the_pace() {
    let clock = clock();
    let slow = Arc::clone(&clock);
    let kernel = move |jobs: &[&Computation]| {
        slow.advance(Duration::from_secs(1));
        numbers(jobs).into_iter().map(digest).collect()
    };
    let pool = start(1, LaneTiming { lanes: Lanes::ONE, batch: Duration::from_millis(100) }, clock, Arc::new(kernel));
    let dear = Computation { cost: Cost::DEFAULT, ..job(1) };
    pool.run(dear, &CancellationToken::never()).unwrap();
    assert_eq!(pool.shared.room(), 20);
    pool.run(job(1), &CancellationToken::never()).unwrap();
    assert_eq!(pool.shared.room(), 6, "2 s of one in 325 ms");
}
