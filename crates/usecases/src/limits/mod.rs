//! Counting what may be guessed at or flooded, before the work.

mod admission;
mod devices;
mod error;
mod limits;

pub use admission::Admission;
pub use devices::Devices;
pub use error::{LimitError, Limited};
pub use limits::{Limits, Rules};
