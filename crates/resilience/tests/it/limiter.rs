//! `SharedLimiter` passes the conformance suite, and works without the shared limiter.

use crate::RECOVERY;
use chrono::DateTime;
use portcullis_domain::limits::{Budget, LimitKey, Rule, SlidingWindow};
use portcullis_ports::{Charge, Clock, LimiterError, RateLimiter, Reservation, ReserveOutcome};
use portcullis_resilience::{Breaker, BreakerSettings, CircuitBreaker, SharedLimiter, State};
use portcullis_testkit::conformance::limits::Limiter;
use portcullis_testkit::{FixedClock, MapLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Limiter behind a network that can fail.
struct Remote {
    limiter: MapLimiter,
    lost: AtomicBool,
    calls: AtomicUsize,
}

impl Remote {
    fn call<T>(&self, call: impl FnOnce(&MapLimiter) -> Result<T, LimiterError>) -> Result<T, LimiterError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.lost.load(Ordering::SeqCst) { Err(LimiterError("lost".to_owned())) } else { call(&self.limiter) }
    }
}

impl RateLimiter for Remote {
    fn reserve(&self, charges: &[Charge]) -> Result<ReserveOutcome, LimiterError> {
        self.call(|limiter| limiter.reserve(charges))
    }

    fn refund(&self, reservation: &Reservation) -> Result<(), LimiterError> {
        self.call(|limiter| limiter.refund(reservation))
    }

    fn clear(&self, charges: &[Charge]) -> Result<(), LimiterError> {
        self.call(|limiter| limiter.clear(charges))
    }

    fn remaining(&self, charge: &Charge) -> Result<u32, LimiterError> {
        self.call(|limiter| limiter.remaining(charge))
    }
}

type Replica = SharedLimiter<Breaker<Arc<Remote>>, MapLimiter>;

struct World {
    clock: Arc<FixedClock>,
    remote: Arc<Remote>,
    circuit: CircuitBreaker,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let limiter = MapLimiter::new(clock.clone());
        let remote = Arc::new(Remote { limiter, lost: AtomicBool::new(false), calls: AtomicUsize::new(0) });
        let time = clock.clone();
        let settings = BreakerSettings::default().with_failure_threshold(1).with_recovery_timeout(RECOVERY);
        let circuit = CircuitBreaker::builder(settings).clock(move || time.monotonic()).build();
        Self { clock, remote, circuit }
    }

    fn replica(&self) -> Replica {
        let shared = Breaker::new("redis", self.remote.clone(), self.circuit.clone());
        SharedLimiter::new(shared, MapLimiter::new(self.clock.clone()))
    }
}

portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
    let world = World::new();
    run(Limiter { limiter: &world.replica(), wait: &|time| world.clock.advance(time) });
});

/// Conformance suite while the shared limiter is unavailable.
mod alone {
    use super::*;

    portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
        let world = World::new();
        world.remote.lost.store(true, Ordering::SeqCst);
        run(Limiter { limiter: &world.replica(), wait: &|time| world.clock.advance(time) });
    });
}

fn charge(tries: u32) -> Charge {
    let rule = Rule::SlidingWindow(SlidingWindow::new(NonZeroU32::new(tries).unwrap(), Duration::from_secs(15 * 60)));
    Charge::new(Budget::Account, LimitKey::from_digest(&[7; 32]), rule)
}

fn passes(replica: &Replica, charge: Charge) -> bool {
    matches!(replica.reserve(&[charge]).unwrap(), ReserveOutcome::Passed(_))
}

#[test]
fn replicas_share_a_budget() {
    let world = World::new();
    let (one, two) = (world.replica(), world.replica());
    assert!(passes(&one, charge(2)) && passes(&two, charge(2)));
    assert!(!passes(&one, charge(2)) && !passes(&two, charge(2)));
    assert_eq!(one.remaining(&charge(2)), Ok(0));
}

#[test]
fn a_lost_limiter_is_asked_once_and_what_passed_here_is_known() {
    let world = World::new();
    let replica = world.replica();
    assert!(passes(&replica, charge(3)));
    world.remote.lost.store(true, Ordering::SeqCst);
    let before = world.remote.calls.load(Ordering::SeqCst);
    assert!(passes(&replica, charge(3)) && passes(&replica, charge(3)));
    assert!(!passes(&replica, charge(3)), "no budget anew");
    assert_eq!(world.remote.calls.load(Ordering::SeqCst), before + 1);
    assert_eq!(world.circuit.snapshot().state, State::Open);
}

#[test]
fn a_limiter_that_is_back_is_used_again() {
    let world = World::new();
    let (one, two) = (world.replica(), world.replica());
    world.remote.lost.store(true, Ordering::SeqCst);
    assert!(passes(&one, charge(2)));
    world.remote.lost.store(false, Ordering::SeqCst);
    world.clock.advance(RECOVERY);
    assert!(passes(&one, charge(2)));
    assert_eq!(world.circuit.snapshot().state, State::Closed);
    assert!(passes(&two, charge(2)), "what passed meanwhile nobody else knows");
    assert!(!passes(&two, charge(2)));
}

#[test]
fn an_emptied_limiter_opens_nothing_that_this_process_knows() {
    let world = World::new();
    let first = world.replica();
    assert!(passes(&first, charge(1)));
    let emptied = World::new();
    // The first replica serves as the local limiter here, next to an empty shared one.
    let replica = SharedLimiter::new(Breaker::new("redis", emptied.remote.clone(), emptied.circuit.clone()), first);
    assert_eq!(emptied.remote.remaining(&charge(1)), Ok(1));
    assert!(matches!(replica.reserve(&[charge(1)]).unwrap(), ReserveOutcome::Refused(_)));
}
