//! Conformance suite of limiters on the limiter in memory, and its bounds.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_domain::limits::{Budget, Gcra, LimitKey, Rule, SlidingWindow};
use portcullis_memory::MemoryLimiter;
use portcullis_ports::{Charge, RateLimiter, ReserveOutcome};
use portcullis_testkit::{FixedClock, conformance::limits::Limiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    let limiter = MemoryLimiter::new(MemoryLimiter::DEFAULT_CAPACITY, clock.clone());
    run(Limiter { limiter: &limiter, wait: &|time| clock.advance(time) });
});

fn charge(budget: Budget, number: u32) -> Charge {
    // Spreads the keys evenly, like real digests.
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    digest[4..8].copy_from_slice(&number.to_be_bytes());
    let once = Gcra::new(NonZeroU32::MIN, Duration::from_hours(1), NonZeroU32::MIN);
    Charge::new(budget, LimitKey::from_digest(&digest), Rule::Gcra(once))
}

fn passes(limiter: &MemoryLimiter, budget: Budget, number: u32) -> bool {
    matches!(limiter.reserve(&[charge(budget, number)]).unwrap(), ReserveOutcome::Passed(_))
}

fn small() -> MemoryLimiter {
    MemoryLimiter::new(6400, Arc::new(FixedClock::at(DateTime::UNIX_EPOCH)))
}

#[test]
fn memory_is_bounded_and_the_least_recently_used_key_is_evicted() {
    let limiter = small();
    assert!(limiter.is_empty());
    for budget in Budget::ALL {
        let passes = |number| passes(&limiter, budget, number);
        assert!(passes(0) && passes(1));
        for number in 2..20_000 {
            assert!(passes(number));
            if number % 50 == 0 {
                assert!(!passes(0), "a key that is tried again and again is kept");
            }
        }
        assert!(passes(1), "the oldest is forgotten");
    }
    assert!(limiter.len() <= 6400 && limiter.len() > 5800, "{}", limiter.len());
}

#[test]
fn a_flood_of_one_budget_evicts_no_key_of_another() {
    for flooded in Budget::ALL {
        let limiter = small();
        let others = || Budget::ALL.into_iter().filter(|budget| *budget != flooded);
        assert!(others().all(|budget| passes(&limiter, budget, 0)));
        for number in 1..20_000 {
            assert!(passes(&limiter, flooded, number));
        }
        for budget in others() {
            assert!(!passes(&limiter, budget, 0), "{flooded:?} has {budget:?} forgotten");
        }
    }
}

/// Refunded calls cost a flood nothing, so they must not evict tallies that count.
#[test]
fn what_is_given_back_takes_no_room() {
    let limiter = small();
    assert!(passes(&limiter, Budget::Account, 0));
    let guess = SlidingWindow::new(NonZeroU32::MIN, Duration::from_hours(1)).with_backoff(Duration::from_mins(1));
    for number in 1..100_000 {
        let account = Charge { rule: Rule::SlidingWindow(guess), ..charge(Budget::Account, number) };
        let ReserveOutcome::Passed(call) = limiter.reserve(&[account, charge(Budget::Source, number)]).unwrap() else {
            panic!("refused: {number}");
        };
        limiter.refund(&call).unwrap();
    }
    assert_eq!(limiter.len(), 1);
    assert!(!passes(&limiter, Budget::Account, 0));
}
