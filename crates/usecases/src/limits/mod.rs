//! Rate limits on guesses at passwords and second factors, and on expensive calls. Calls are counted before
//! the work.

mod admission;
mod attempt;
mod budgets;
mod devices;
mod error;
mod guesses;
mod second_factor;

pub use admission::Admission;
pub use attempt::{Attempt, Guess};
pub use budgets::{Limits, Rules};
pub use devices::DeviceCookies;
pub use error::{LimitError, RateLimited};
pub use guesses::Guesses;
