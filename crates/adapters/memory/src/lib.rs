//! Rate limiter in process memory. Bounded, not shared with other replicas, and lost on restart.

mod limiter;

pub use limiter::MemoryLimiter;
