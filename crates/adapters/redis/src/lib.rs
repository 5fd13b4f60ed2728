//! State that replicas share in Redis or Valkey: budgets and circuit states. All of it may be lost: the
//! service keeps running if the server is unavailable or empty. Decorators implement that fallback;
//! here a call returns in time or fails.

mod circuits;
mod connections;
mod info;
mod limiter;
mod script;
mod url;

pub use circuits::RedisCircuits;
pub use connections::RedisPool;
pub use info::RedisInfo;
pub use limiter::RedisLimiter;
pub use url::{RedisUrl, RedisUrlError};
