//! What is done so that the service can go on for years. Its callers are clocks and operators.

mod pace;
mod purge;

pub(crate) use pace::{Pace, Times};
pub use purge::{Purge, PurgeError, Purged, Step, Tombstone};
