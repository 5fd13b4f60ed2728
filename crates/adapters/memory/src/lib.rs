//! Budgets counted in this process: bounded, and gone with it. What replicas share is left to
//! other adapters.

mod limiter;

pub use limiter::MemoryLimiter;
