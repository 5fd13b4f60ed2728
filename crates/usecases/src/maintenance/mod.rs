//! What is done so that the service can go on for years. Its callers are clocks and operators.

mod batch_size;
mod purge;

pub(crate) use batch_size::{BatchSize, StepTiming};
pub use purge::{Purge, PurgeError, PurgeStep, Purged, Tombstone};
