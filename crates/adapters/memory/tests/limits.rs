//! The limiter in memory: what every limiter promises, and that it is bounded.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_domain::limits::{Budget, Flow, LimitKey, Rule};
use portcullis_memory::MemoryLimiter;
use portcullis_ports::{Charge, RateLimiter, Reserved};
use portcullis_testkit::{FixedClock, conformance::limits::Limiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

portcullis_testkit::limiter_conformance!(|run: &dyn Fn(Limiter<'_>)| {
    let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
    let limiter = MemoryLimiter::new(MemoryLimiter::KEYS, clock.clone());
    run(Limiter { limiter: &limiter, wait: &|time| clock.advance(time) });
});

fn charge(number: u32) -> Charge {
    // Digests are spread evenly, and so are these.
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    digest[4..8].copy_from_slice(&number.to_be_bytes());
    let once = Flow::new(NonZeroU32::MIN, Duration::from_hours(1), NonZeroU32::MIN);
    Charge { budget: Budget::Account, key: LimitKey::of_digest(&digest), rule: Rule::Flow(once) }
}

fn passes(limiter: &MemoryLimiter, number: u32) -> bool {
    matches!(limiter.reserve(&[charge(number)]).unwrap(), Reserved::Passed(_))
}

#[test]
fn memory_is_bounded_and_the_key_that_was_untouched_longest_goes() {
    let limiter = MemoryLimiter::new(6400, Arc::new(FixedClock::at(DateTime::UNIX_EPOCH)));
    assert!(limiter.is_empty());
    assert!(passes(&limiter, 0) && passes(&limiter, 1));
    for number in 2..100_000 {
        assert!(passes(&limiter, number));
        if number % 50 == 0 {
            assert!(!passes(&limiter, 0), "a key that is tried again and again is kept");
        }
    }
    assert!(limiter.len() <= 6400 && limiter.len() > 6000, "{}", limiter.len());
    assert!(passes(&limiter, 1), "the oldest is forgotten");
}
