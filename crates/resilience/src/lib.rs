//! A circuit breaker and a bulkhead, for Portcullis and for any other program, and the
//! decorators that put them around a port of Portcullis.
//!
//! A [`CircuitBreaker`] watches the calls to something that may be down. After a few failures in
//! a row it opens and refuses calls at once, instead of letting every caller wait for a time-out;
//! after a while it lets a probe through and closes when that succeeds. A [`ConcurrencyLimit`]
//! bounds how many calls run and how many wait, so that one slow part cannot take every thread.
//!
//! ```
//! use portcullis_resilience::{CallError, CircuitBreaker, BreakerSettings, State};
//! use std::time::Duration;
//!
//! let settings = BreakerSettings::default().with_failure_threshold(2).with_recovery_timeout(Duration::from_secs(30));
//! # let time = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
//! # let seconds = std::sync::Arc::clone(&time);
//! # let clock = move || Duration::from_secs(seconds.load(std::sync::atomic::Ordering::Relaxed));
//! # let sleep = |s: u64| time.fetch_add(s, std::sync::atomic::Ordering::Relaxed);
//! let (tell, told) = std::sync::mpsc::channel();
//! let breaker = CircuitBreaker::builder(settings)
//! #   .clock(clock)
//!     .on_transition(move |change| tell.send(change.to).unwrap_or_default())
//!     .build();
//!
//! fn price(up: bool) -> Result<u32, &'static str> {
//!     if up { Ok(42) } else { Err("connection refused") }
//! }
//!
//! // Errors pass through, and the second in a row opens the circuit.
//! assert_eq!(breaker.call(|| price(false)), Err(CallError::Failed("connection refused")));
//! assert_eq!(breaker.call(|| price(false)), Err(CallError::Failed("connection refused")));
//! assert_eq!(breaker.snapshot().state, State::Open);
//! assert_eq!(told.recv(), Ok(State::Open), "whoever listens is told");
//!
//! // Now calls are refused without being made, and the refusal says for how long.
//! let Err(CallError::Open(open)) = breaker.call(|| price(true)) else { unreachable!() };
//! assert_eq!(open.retry_after, Duration::from_secs(30));
//! assert_eq!(breaker.call_or(|| price(true), 40), Ok(40), "or the last price known");
//!
//! // When the time is over, one call goes through as a probe, and its success closes the circuit.
//! sleep(30);
//! assert_eq!(breaker.call(|| price(true)), Ok(42));
//! assert_eq!(breaker.snapshot().state, State::Closed);
//! ```
//!
//! No lock is held while a call runs. What runs without a name here (an executor's tasks, calls
//! in pieces) takes a [`Permit`] by [`CircuitBreaker::acquire`]. The rules alone, without lock
//! and clock, are [`breaker::Machine`].
//!
//! The feature `ports`, on by default, brings the decorators `Breaker` around a store or a mailer,
//! `Bulkhead` around a password hasher and `SharedLimiter` around two limiters, and `share`, by which the
//! circuits of several processes act as one. Without it the only dependency is thiserror.

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
pub use sharing::{SharingSettings, share};
#[cfg(feature = "ports")]
pub use store::Breaker;
