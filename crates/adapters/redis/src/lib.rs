//! State that replicas share in Redis or Valkey: budgets and circuit states. All of it may be lost: the
//! service keeps running if the server is unavailable or empty. Decorators in other crates implement
//! that fallback. Here, a call fails if it exceeds its timeout.

mod circuits;
mod connections;
mod info;
mod limiter;
mod opener;
mod refusal;
mod script;
mod trial;
mod url;

pub use circuits::RedisCircuits;
pub use connections::RedisPool;
pub use info::{RedisInfo, RedisRefusal};
pub use limiter::RedisLimiter;
pub use url::{RedisUrl, RedisUrlError};
