//! Breaker and bulkhead under real threads and locks. `loom.rs` checks all interleavings of small
//! cases.

use portcullis_resilience::{
    BreakerSettings, BulkheadFull, BulkheadLoad, CircuitBreaker, ConcurrencyLimit, State, Transition,
};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const THREADS: usize = 16;

#[test]
fn concurrent_failures_report_every_transition_once_in_order() {
    let told: Arc<Mutex<Vec<Transition>>> = Arc::default();
    let log = Arc::clone(&told);
    let ticks = AtomicU64::new(0);
    let settings = BreakerSettings::default().with_failure_threshold(2).with_recovery_timeout(Duration::from_millis(3));
    let breaker = CircuitBreaker::builder(settings)
        .clock(move || Duration::from_millis(ticks.fetch_add(1, Ordering::Relaxed)))
        .on_transition(move |change| log.lock().unwrap().push(change.clone()))
        .build();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let breaker = &breaker;
            scope.spawn(move || {
                for call in 0..500 {
                    let _ = breaker.call(|| if (thread + call) % 3 == 0 { Ok(()) } else { Err(()) });
                }
            });
        }
    });
    let told = told.lock().unwrap();
    assert!(told.windows(2).all(|pair| pair[0].to == pair[1].from));
    let snapshot = breaker.snapshot();
    assert_eq!(told.iter().filter(|change| change.to == State::Open).count() as u64, snapshot.totals.opened);
    assert_eq!(told.last().unwrap().to, snapshot.state);
    let totals = snapshot.totals;
    assert_eq!(totals.successes + totals.failures + totals.refused, THREADS as u64 * 500);
}

#[test]
fn a_bulkhead_never_runs_more_than_it_may() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::new(3).unwrap(), THREADS);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..300 {
                    let call = || {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    };
                    limit.call(call).unwrap();
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    assert_eq!(limit.load(), BulkheadLoad { running: 0, waiting: 0 });
}

#[test]
fn a_bulkhead_serves_in_order_and_refuses_past_its_queue() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 3);
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let slot = limit.acquire().unwrap();
        for number in 0..3 {
            let (limit, served) = (&limit, &served);
            scope.spawn(move || limit.call(|| served.lock().unwrap().push(number)).unwrap());
            while limit.load().waiting <= number {
                thread::yield_now();
            }
        }
        assert_eq!(limit.acquire().unwrap_err(), BulkheadFull);
        assert_eq!(limit.load(), BulkheadLoad { running: 1, waiting: 3 });
        drop(slot);
    });
    assert_eq!(*served.lock().unwrap(), [0, 1, 2]);
}

#[test]
fn a_slot_is_free_again_after_a_panic() {
    let limit = ConcurrencyLimit::new(NonZeroUsize::MIN, 0);
    let inside = limit.clone();
    let panicked = thread::spawn(move || inside.call(|| panic!("on purpose"))).join();
    assert!(panicked.is_err());
    assert_eq!(limit.call(|| 1), Ok(1));
}
