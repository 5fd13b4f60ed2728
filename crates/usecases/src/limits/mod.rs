//! Rate limits, counted before the work: passwords that can be guessed, calls that can flood.

mod admission;
mod budgets;
mod devices;
mod error;
mod guesses;

pub use admission::Admission;
pub use budgets::{Limits, Rules};
pub use devices::DeviceCookies;
pub use error::{LimitError, RateLimited};
pub use guesses::{Guess, Guesses};
