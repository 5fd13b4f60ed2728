//! Breaker, bulkhead and shared limiter. `loom.rs` checks all interleavings of small cases.

#![cfg(not(loom))]
#![expect(
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a failed step fails the test; threads are waited for"
)]

mod breaker;
#[cfg(feature = "ports")]
mod conformance;
#[cfg(feature = "ports")]
mod hasher;
#[cfg(feature = "ports")]
mod limiter;
mod machine;
#[cfg(feature = "ports")]
mod mailer;
#[cfg(feature = "ports")]
mod outbound;
#[cfg(feature = "ports")]
mod sharing;
#[cfg(feature = "ports")]
mod store;
mod threads;

use portcullis_resilience::{BreakerSettings, Builder, CircuitBreaker, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Recovery time of the circuits.
const RECOVERY: Duration = Duration::from_secs(30);

/// Simulated time of the circuits.
#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn builder(&self, settings: BreakerSettings) -> Builder {
        let time = self.clone();
        CircuitBreaker::builder(settings.with_recovery_timeout(RECOVERY)).clock(move || time.now())
    }

    /// Creates a breaker that opens after that many failures in a row.
    fn breaker(&self, threshold: u32) -> CircuitBreaker {
        self.builder(BreakerSettings::default().with_failure_threshold(threshold)).build()
    }
}

fn fail(breaker: &CircuitBreaker) {
    breaker.acquire().unwrap().failure();
}

fn state(breaker: &CircuitBreaker) -> State {
    breaker.snapshot().state
}
