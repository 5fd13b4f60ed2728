//! What tests share: in-memory adapters, a clock that is set, randomness from a seed, throw-away
//! servers, and the conformance suites that every adapter and decorator passes.
//!
//! A dev-dependency of the other crates, never a dependency.

mod clock;
pub mod conformance;
mod entropy;
mod hasher;
mod memory;
pub mod postgres;
pub mod prometheus;
pub mod redis;
pub mod smtp;

pub use clock::FixedClock;
pub use entropy::SeededEntropy;
pub use hasher::PlainHasher;
pub use memory::{MapLimiter, MemoryStore};
