//! Counting what may be guessed at or flooded, before the work.

mod admission;
mod budgets;
mod devices;
mod error;

pub use admission::Admission;
pub use budgets::{Limits, Rules};
pub use devices::Devices;
pub use error::{LimitError, Limited};
