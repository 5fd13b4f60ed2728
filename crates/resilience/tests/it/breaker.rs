//! Public behavior of the breaker: calls, fallbacks, wrappers, futures, listeners and panics.

use crate::{RECOVERY, Time, fail, state};
use portcullis_resilience::{BreakerSettings, CallError, CircuitBreaker, State, Transition};
use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn breaker(threshold: u32) -> (CircuitBreaker, Time) {
    let time = Time::default();
    (time.breaker(threshold), time)
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn five_consecutive_failures_open_it_and_one_probe_closes_it() {
    let (breaker, time) = breaker(5);
    (0..4).for_each(|_| fail(&breaker));
    assert_eq!(breaker.call(|| Ok::<_, ()>(1)), Ok(1), "a success sets the count back");
    (0..4).for_each(|_| fail(&breaker));
    assert_eq!(state(&breaker), State::Closed);
    fail(&breaker);
    assert_eq!(state(&breaker), State::Open);

    time.pass(RECOVERY - Duration::from_secs(1));
    assert!(breaker.call(|| -> Result<(), ()> { panic!("made while open") }).is_err());
    assert_eq!(breaker.snapshot().retry_after, Duration::from_secs(1));
    time.pass(Duration::from_secs(1));
    assert_eq!(breaker.call(|| Ok::<_, ()>(2)), Ok(2));
    assert_eq!(state(&breaker), State::Closed);
}

#[test]
fn a_failed_probe_opens_it_for_the_whole_time_again() {
    let (breaker, time) = breaker(1);
    fail(&breaker);
    time.pass(RECOVERY);
    fail(&breaker);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.retry_after, snapshot.totals.opened), (State::Open, RECOVERY, 2));
}

#[test]
fn all_the_probes_it_admits_must_succeed() {
    let time = Time::default();
    let settings = BreakerSettings::default().with_failure_threshold(1).with_half_open_max_calls(2);
    let breaker = time.builder(settings).build();
    fail(&breaker);
    time.pass(RECOVERY);
    let (first, second) = (breaker.acquire().unwrap(), breaker.acquire().unwrap());
    assert!(breaker.acquire().is_err());
    assert_eq!(breaker.snapshot().probes, 2);
    first.success();
    assert_eq!(state(&breaker), State::HalfOpen);
    assert!(breaker.acquire().is_err(), "a probe that succeeded leaves no room for another");
    second.success();
    assert_eq!(state(&breaker), State::Closed);
}

#[test]
fn a_panic_is_a_failure_also_of_a_probe() {
    let (breaker, time) = breaker(1);
    let panics = || catch_unwind(AssertUnwindSafe(|| breaker.call(|| -> Result<(), ()> { panic!("on purpose") })));
    assert!(panics().is_err());
    assert_eq!(state(&breaker), State::Open);
    time.pass(RECOVERY);
    assert!(panics().is_err());
    assert_eq!((state(&breaker), breaker.snapshot().probes), (State::Open, 0));
    time.pass(RECOVERY);
    assert_eq!(breaker.call(|| Ok::<_, ()>(1)), Ok(1), "the probe is not lost");
}

#[test]
fn errors_that_do_not_count_are_successes() {
    let (breaker, _) = breaker(2);
    let outages = breaker.counting(|status: &u16| *status >= 500);
    assert_eq!(outages.call(|| Err::<(), _>(503)), Err(CallError::Failed(503)));
    assert_eq!(outages.call(|| Err::<(), _>(404)), Err(CallError::Failed(404)));
    assert_eq!((state(&breaker), breaker.snapshot().consecutive_failures), (State::Closed, 0), "one circuit for both");
    let get = outages.wrap(|status| if status == 200 { Ok(()) } else { Err(status) });
    assert!([404, 503, 503, 200].map(get).into_iter().skip(3).all(|r| matches!(r, Err(CallError::Open(_)))));
}

#[test]
fn a_fallback_stands_in_for_refused_calls_only() {
    let (breaker, _) = breaker(1);
    assert_eq!(breaker.call_or(|| Ok::<_, ()>(1), 9), Ok(1));
    assert_eq!(breaker.call_or(|| Err("refused"), 9), Err("refused"));
    assert_eq!(breaker.call_or(|| Ok::<_, ()>(1), 9), Ok(9));
    let made = Cell::new(false);
    let told = breaker.call_or_else(
        || {
            made.set(true);
            Ok(Duration::ZERO)
        },
        |open| Ok::<_, ()>(open.retry_after),
    );
    assert_eq!((told, made.get()), (Ok(RECOVERY), false));
}

#[test]
fn a_future_is_guarded_from_its_first_poll_to_its_end() {
    let (breaker, time) = breaker(1);
    assert_eq!(poll(pin!(breaker.call_future(ready(Ok::<_, ()>(1))))), Poll::Ready(Ok(1)));
    drop(breaker.call_future(pending::<Result<(), ()>>()));
    assert_eq!(state(&breaker), State::Closed, "one that nobody polled is no call");
    {
        let mut cancelled = pin!(breaker.call_future(pending::<Result<(), ()>>()));
        assert_eq!(poll(cancelled.as_mut()), Poll::Pending);
        assert_eq!(state(&breaker), State::Closed);
    }
    assert_eq!(state(&breaker), State::Open, "cancelled");
    assert!(matches!(poll(pin!(breaker.call_future(ready(Ok::<_, ()>(1))))), Poll::Ready(Err(CallError::Open(_)))));
    time.pass(RECOVERY);
    {
        let mut probe = pin!(breaker.call_future(pending::<Result<(), ()>>()));
        assert_eq!(poll(probe.as_mut()), Poll::Pending);
        assert_eq!(breaker.snapshot().probes, 1);
    }
    assert_eq!(state(&breaker), State::Open, "a cancelled probe is not lost");
}

#[test]
fn what_it_hands_out_goes_to_other_threads() {
    fn sent<T: Send + 'static>(value: T) -> T {
        value
    }
    let (breaker, _) = breaker(1);
    drop(sent(breaker.call_future(ready(Ok::<_, ()>(1)))));
    assert_eq!(sent(breaker.wrap(Ok::<u8, ()>))(1), Ok(1));
    let permit = sent(breaker.acquire().unwrap());
    drop(breaker);
    permit.success();
}

#[test]
fn listeners_hear_every_change_in_order_and_may_use_the_breaker() {
    let time = Time::default();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let handle: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let (inside, log) = (Arc::clone(&handle), Arc::clone(&heard));
    let breaker = time
        .builder(BreakerSettings::default().with_failure_threshold(1))
        .on_transition(|_| panic!("a listener's own fault"))
        .on_transition(move |change| {
            log.lock().unwrap().push((change.from, change.to, change.at.as_secs()));
            let breaker = inside.get().unwrap();
            if change.to == State::HalfOpen {
                assert!(breaker.acquire().is_err(), "the probe has the place");
            }
        })
        .build();
    handle.set(breaker.clone()).unwrap();
    fail(&breaker);
    time.pass(RECOVERY);
    breaker.call(|| Ok::<_, ()>(1)).unwrap();
    let expected =
        [(State::Closed, State::Open, 0), (State::Open, State::HalfOpen, 30), (State::HalfOpen, State::Closed, 30)];
    assert_eq!(*heard.lock().unwrap(), expected);
    assert_eq!(breaker.snapshot().totals.refused, 1);
}

#[test]
fn transition_caused_by_a_listener_is_notified_after_its_cause() {
    let handle: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let heard: Arc<Mutex<Vec<Transition>>> = Arc::default();
    let time = Time::default();
    let (inside, advance) = (Arc::clone(&handle), time.clone());
    let (first, second) = (Arc::clone(&heard), Arc::clone(&heard));
    let breaker = time
        .builder(BreakerSettings::default().with_failure_threshold(1))
        .on_transition(move |change| {
            first.lock().unwrap().push(change.clone());
            if change.to == State::Open {
                advance.pass(RECOVERY);
                inside.get().unwrap().call(|| Ok::<_, ()>(1)).unwrap();
            }
        })
        .on_transition(move |change| second.lock().unwrap().push(change.clone()))
        .build();
    handle.set(breaker.clone()).unwrap();
    fail(&breaker);
    let told: Vec<_> = heard.lock().unwrap().iter().map(|change| change.to).collect();
    let expected = [State::Open, State::HalfOpen, State::Closed].map(|to| [to, to]).concat();
    assert_eq!(told, expected, "each listener hears each change before anybody hears the next");
}

#[test]
fn a_change_tells_the_first_cause_and_how_long_it_took() {
    let (time, heard) = (Time::default(), Arc::<Mutex<Vec<_>>>::default());
    let log = Arc::clone(&heard);
    let breaker = time
        .builder(BreakerSettings::default().with_failure_threshold(2).with_call_timeout(Duration::from_secs(9)))
        .on_transition(move |change| {
            let cause = change.cause.clone().unwrap_or_default();
            log.lock().unwrap().push((change.to, change.open_for.as_secs(), cause));
        })
        .build();
    let fails = |cause: &str| breaker.acquire().unwrap().failure_because(cause);
    fails("forgotten");
    breaker.acquire().unwrap().success();
    fails("refused");
    fails("timed out");
    time.pass(RECOVERY);
    fails("still refused");
    time.pass(RECOVERY);
    let stuck = breaker.acquire().unwrap();
    time.pass(Duration::from_secs(9));
    assert_eq!(state(&breaker), State::Open);
    stuck.success();
    time.pass(RECOVERY);
    breaker.acquire().unwrap().success();
    let open = |after, cause: &str| (State::Open, after, cause.to_owned());
    let half = |after, cause: &str| (State::HalfOpen, after, cause.to_owned());
    let expected = [
        open(0, "refused"),
        half(30, "refused"),
        open(30, "still refused"),
        half(60, "still refused"),
        open(69, "no response within 9s"),
        half(99, "no response within 9s"),
        (State::Closed, 99, String::new()),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn it_tells_the_time_by_itself() {
    let settings = BreakerSettings::default().with_failure_threshold(1).with_recovery_timeout(Duration::from_millis(1));
    let breaker = CircuitBreaker::new(settings);
    fail(&breaker);
    while breaker.call(|| Ok::<_, ()>(1)).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(state(&breaker), State::Closed);
}
