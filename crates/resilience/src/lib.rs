//! Circuit breaker and bulkhead for any program, and decorators that apply them to Portcullis's ports.
//!
//! A [`CircuitBreaker`] guards calls to a dependency that may be down. After several consecutive
//! failures it opens: it refuses calls at once instead of letting every caller wait for a timeout.
//! After the recovery timeout it lets a probe through, and closes if the probe succeeds. A
//! [`ConcurrencyLimit`] bounds how many calls run and how many wait, so that one slow dependency cannot
//! take every thread.
//!
//! ```
//! use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings, State};
//! use std::time::Duration;
//!
//! let settings =
//!     BreakerSettings::default().with_failure_threshold(2).with_recovery_timeout(Duration::from_secs(30));
//! # let time = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
//! # let seconds = std::sync::Arc::clone(&time);
//! # let clock = move || Duration::from_secs(seconds.load(std::sync::atomic::Ordering::Relaxed));
//! # let sleep = |s: u64| time.fetch_add(s, std::sync::atomic::Ordering::Relaxed);
//! let (sender, receiver) = std::sync::mpsc::channel();
//! let breaker = CircuitBreaker::builder(settings)
//! #   .clock(clock)
//!     .on_transition(move |change| sender.send(change.to).unwrap_or_default())
//!     .build();
//!
//! fn price(up: bool) -> Result<u32, &'static str> {
//!     if up { Ok(42) } else { Err("connection refused") }
//! }
//!
//! // Errors pass through. The second consecutive one opens the circuit.
//! assert_eq!(breaker.call(|| price(false)), Err(CallError::Failed("connection refused")));
//! assert_eq!(breaker.call(|| price(false)), Err(CallError::Failed("connection refused")));
//! assert_eq!(breaker.snapshot().state, State::Open);
//! assert_eq!(receiver.recv(), Ok(State::Open), "listeners are notified");
//!
//! // Calls are now refused without being made. The error contains the remaining time.
//! let Err(CallError::Open(open)) = breaker.call(|| price(true)) else { unreachable!() };
//! assert_eq!(open.retry_after, Duration::from_secs(30));
//! assert_eq!(breaker.call_or(|| price(true), 40), Ok(40), "or the last price known");
//!
//! // After that time, one call passes as a probe. Its success closes the circuit.
//! sleep(30);
//! assert_eq!(breaker.call(|| price(true)), Ok(42));
//! assert_eq!(breaker.snapshot().state, State::Closed);
//! ```
//!
//! No lock is held while a call runs. For calls that do not fit into one closure or future, get a
//! [`Permit`] from [`CircuitBreaker::acquire`]. [`breaker::Machine`] contains the rules alone, without
//! lock and clock.
//!
//! The feature `ports`, enabled by default, adds the decorators `Breaker` (around stores, mailers and
//! other ports), `OutboundBreaker` (around an HTTP client), `Bulkhead` (around a password hasher) and `SharedLimiter` (around two rate limiters),
//! and `share`, which makes the circuits of several processes act as one. Without it, the only
//! dependency is thiserror.

#![warn(missing_docs)]

pub mod breaker;
mod bulkhead;
#[cfg(feature = "ports")]
mod hasher;
#[cfg(feature = "ports")]
mod limiter;
#[cfg(feature = "ports")]
mod mailer;
#[cfg(feature = "ports")]
mod outbound;
#[cfg(feature = "ports")]
mod sharing;
#[cfg(feature = "ports")]
mod store;
mod sync;

pub use breaker::{
    BreakerSettings, Builder, CallError, CircuitBreaker, CircuitOpen, Classify, EveryError, Permit, Snapshot, State,
    Totals, Transition,
};
pub use bulkhead::{BulkheadFull, BulkheadLoad, BulkheadPermit, ConcurrencyLimit};
#[cfg(feature = "ports")]
pub use hasher::Bulkhead;
#[cfg(feature = "ports")]
pub use limiter::SharedLimiter;
#[cfg(feature = "ports")]
pub use outbound::OutboundBreaker;
#[cfg(feature = "ports")]
pub use sharing::{SharingSettings, share};
#[cfg(feature = "ports")]
pub use store::Breaker;
