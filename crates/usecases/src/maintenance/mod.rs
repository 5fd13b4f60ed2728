//! What is done so that the service can go on for years. Its callers are clocks and operators.

mod pace;
mod purge;

pub use purge::{Purge, PurgeError, Purged, Step};
