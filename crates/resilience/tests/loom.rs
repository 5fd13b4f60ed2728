//! Breaker and bulkhead under every interleaving of small cases, in a model checker. Two cases of the
//! bulkhead limit the preemptions. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p portcullis-resilience --test loom --release`.

#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a failed step fails the test"
)]

use loom::thread;
use portcullis_resilience::{BreakerSettings, BulkheadLoad, CircuitBreaker, ConcurrencyLimit, State, Transition};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Simulated time, invisible to the checker: it does not change while threads run.
#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

fn breaker(settings: BreakerSettings) -> (CircuitBreaker, Time, Arc<Mutex<Vec<Transition>>>) {
    let (time, told) = (Time::default(), Arc::new(Mutex::new(Vec::new())));
    let (seconds, log) = (time.clone(), Arc::clone(&told));
    let breaker = CircuitBreaker::builder(settings)
        .clock(move || Duration::from_secs(seconds.0.load(Ordering::SeqCst)))
        .on_transition(move |change| {
            // Lets another thread run here, as a listener that locks would.
            thread::yield_now();
            log.lock().unwrap().push(change.clone());
        })
        .build();
    (breaker, time, told)
}

/// Returns a breaker that opened after one failure and is due for a probe.
fn recovering(probes: u32) -> (CircuitBreaker, Time, Arc<Mutex<Vec<Transition>>>) {
    let settings = BreakerSettings::default().with_failure_threshold(1).with_half_open_max_calls(probes);
    let (breaker, time, told) = breaker(settings);
    breaker.acquire().unwrap().failure();
    time.set(30);
    (breaker, time, told)
}

/// Checks interleavings with at most four preemptions, for cases that would otherwise take minutes.
fn bounded_model(case: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(4);
    model.check(case);
}

fn spawn<T: 'static>(
    breaker: &CircuitBreaker,
    call: impl FnOnce(&CircuitBreaker) -> T + 'static,
) -> thread::JoinHandle<T> {
    let breaker = breaker.clone();
    thread::spawn(move || call(&breaker))
}

fn assert_told_in_order(told: &Mutex<Vec<Transition>>, breaker: &CircuitBreaker) {
    let told = told.lock().unwrap();
    assert!(told.windows(2).all(|pair| pair[0].to == pair[1].from), "{told:?}");
    assert_eq!(told.first().map_or(State::Closed, |change| change.from), State::Closed);
    assert_eq!(told.last().map_or(State::Closed, |change| change.to), breaker.snapshot().state);
}

#[test]
fn half_open_admits_exactly_as_many_as_set() {
    for probes in [1, 2] {
        loom::model(move || {
            let (breaker, _, _) = recovering(probes);
            let threads = [(); 2].map(|()| spawn(&breaker, |breaker| breaker.acquire().ok()));
            let mut permits = vec![breaker.acquire().ok()];
            permits.extend(threads.map(|thread| thread.join().unwrap()));
            let permits: Vec<_> = permits.into_iter().flatten().collect();
            assert_eq!(permits.len(), probes as usize);
            assert_eq!(breaker.snapshot().probes, probes);
            permits.into_iter().for_each(portcullis_resilience::Permit::success);
            assert_eq!(breaker.snapshot().state, State::Closed);
        });
    }
}

#[test]
fn of_calls_in_a_half_open_circuit_no_two_run_at_once() {
    loom::model(|| {
        let (breaker, _, told) = recovering(1);
        let running = Arc::new(AtomicUsize::new(0));
        let call = move |breaker: &CircuitBreaker, running: &AtomicUsize| {
            let _ = breaker.call(|| {
                let others = running.fetch_add(1, Ordering::SeqCst);
                let probing = breaker.snapshot().state == State::HalfOpen;
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                assert!(!probing || others == 0);
                Err::<(), ()>(())
            });
        };
        let inside = Arc::clone(&running);
        let other = spawn(&breaker, move |breaker| call(breaker, &inside));
        call(&breaker, &running);
        other.join().unwrap();
        assert_eq!(breaker.snapshot().state, State::Open, "the probe failed");
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn a_probe_that_is_dropped_is_not_lost() {
    loom::model(|| {
        let (breaker, time, told) = recovering(1);
        let dropped = spawn(&breaker, |breaker| drop(breaker.acquire()));
        drop(breaker.acquire());
        dropped.join().unwrap();
        assert_eq!((breaker.snapshot().state, breaker.snapshot().probes), (State::Open, 0));
        time.set(60);
        breaker.acquire().unwrap().success();
        assert_eq!(breaker.snapshot().state, State::Closed);
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn a_neutral_probe_leaks_no_place() {
    loom::model(|| {
        let (breaker, _, _) = recovering(2);
        let neutral = |breaker: &CircuitBreaker| breaker.acquire().unwrap().neutral();
        let other = spawn(&breaker, neutral);
        neutral(&breaker);
        other.join().unwrap();
        let places = [breaker.acquire(), breaker.acquire(), breaker.acquire()];
        assert_eq!(places.iter().filter(|place| place.is_ok()).count(), 2);
    });
}

#[test]
fn a_late_result_never_decides_for_the_probe() {
    loom::model(|| {
        let (breaker, time, told) = breaker(BreakerSettings::default().with_failure_threshold(1));
        let (late, failing) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
        failing.failure();
        time.set(30);
        let other = thread::spawn(move || drop(late));
        breaker.acquire().unwrap().success();
        other.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.consecutive_failures), (State::Closed, 0));
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn a_call_whose_time_is_over_counts_once_whoever_notices_it() {
    loom::model(|| {
        let timeout = Duration::from_secs(9);
        let (breaker, time, told) = breaker(BreakerSettings::default().with_call_timeout(timeout));
        let overdue = breaker.acquire().unwrap();
        time.set(9);
        let ends = thread::spawn(move || overdue.success());
        let looks = spawn(&breaker, |breaker| breaker.snapshot().totals.failures);
        breaker.acquire().unwrap().neutral();
        ends.join().unwrap();
        assert_eq!(looks.join().unwrap(), 1);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.totals.failures, snapshot.totals.successes, snapshot.running), (1, 0, 0));
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn changes_by_several_threads_are_told_in_order() {
    loom::model(|| {
        let (breaker, time, told) = breaker(BreakerSettings::default().with_failure_threshold(1));
        let failing = breaker.acquire().unwrap();
        time.set(30);
        let opens = thread::spawn(move || {
            failing.failure();
            time.set(60);
        });
        let probes = spawn(&breaker, |breaker| breaker.acquire().map(portcullis_resilience::Permit::success));
        drop(breaker.acquire());
        opens.join().unwrap();
        let _ = probes.join().unwrap();
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn failures_at_once_are_all_counted_and_open_it_once() {
    loom::model(|| {
        let (breaker, _, told) = breaker(BreakerSettings::default().with_failure_threshold(3));
        let permits = [(); 3].map(|()| breaker.acquire().unwrap());
        let threads = permits.map(|permit| thread::spawn(move || permit.failure()));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.opened, snapshot.totals.failures), (State::Open, 1, 3));
        assert_told_in_order(&told, &breaker);
    });
}

#[test]
fn a_bulkhead_runs_no_more_than_it_may_and_wakes_everyone() {
    bounded_model(|| {
        let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 2);
        let running = Arc::new(AtomicUsize::new(0));
        let call = |limit: &ConcurrencyLimit, running: &AtomicUsize| {
            let _slot = limit.acquire().unwrap();
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
            thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
        };
        let threads = [(); 2].map(|()| {
            let (limit, running) = (limit.clone(), Arc::clone(&running));
            thread::spawn(move || call(&limit, &running))
        });
        call(&limit, &running);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(limit.load(), BulkheadLoad { running: 0, waiting: 0 });
    });
}

#[test]
fn bulkhead_of_two_leaves_no_permit_unused_while_a_call_waits() {
    bounded_model(|| {
        let limit = ConcurrencyLimit::new(NonZeroUsize::new(2).unwrap(), 2);
        let held = [limit.acquire().unwrap(), limit.acquire().unwrap()];
        let threads = [(); 2].map(|()| {
            let limit = limit.clone();
            thread::spawn(move || limit.acquire().unwrap())
        });
        drop(held);
        let slots = threads.map(|thread| thread.join().unwrap());
        assert_eq!(limit.load(), BulkheadLoad { running: 2, waiting: 0 }, "both run at once");
        drop(slots);
    });
}

#[test]
fn nobody_overtakes_who_waits_for_a_bulkhead() {
    loom::model(|| {
        let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 1);
        let held = limit.acquire().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let (inside, count) = (limit.clone(), Arc::clone(&served));
        let first = thread::spawn(move || inside.call(|| count.fetch_add(1, Ordering::SeqCst)).unwrap());
        let waits = limit.load().waiting == 1;
        drop(held);
        if limit.acquire().is_ok() && waits {
            assert_eq!(served.load(Ordering::SeqCst), 1);
        }
        first.join().unwrap();
    });
}

#[test]
fn a_bulkhead_refuses_exactly_those_past_its_bounds() {
    loom::model(|| {
        let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
        let inside = limit.clone();
        let other = thread::spawn(move || inside.acquire().ok());
        let slots = [limit.acquire().ok(), other.join().unwrap()];
        assert_eq!(slots.iter().flatten().count(), 1);
    });
}
