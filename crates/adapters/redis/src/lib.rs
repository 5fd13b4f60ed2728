//! What replicas share in Redis or Valkey: budgets and the states of circuits. Nothing that may
//! not be lost: when the server is gone or empty, the service goes on. Going on without it is left
//! to decorators; here a call is answered in time or fails.

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
