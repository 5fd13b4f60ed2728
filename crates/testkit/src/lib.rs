//! Shared test tools: in-memory adapters, a settable clock, seeded randomness, temporary servers, a
//! software authenticator, and the conformance suites for adapters and decorators.
//!
//! Only a dev-dependency of other crates.

pub mod authenticator;
mod clock;
pub mod conformance;
mod entropy;
mod free_ports;
mod hasher;
mod memory;
mod mfa;
mod passkeys;
pub mod postgres;
pub mod prometheus;
pub mod redis;
pub mod smtp;
mod watched;

pub use clock::{FixedClock, RunningClock};
pub use entropy::SeededEntropy;
pub use hasher::PlainHasher;
pub use memory::{MapLimiter, MemoryStore};
pub use mfa::{PlainSealer, PlainTotp};
pub use passkeys::{PlainKey, PlainPasskeys};
pub use watched::{Accesses, FailingStore, StoreCall, Watched, WatchedHasher};
