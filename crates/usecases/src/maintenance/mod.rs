//! Periodic maintenance, run by a timer or an operator.

mod batch_size;
mod purge;

pub(crate) use batch_size::{BatchSize, StepTiming};
pub use purge::{Purge, PurgeStep, Purged, Tombstone};
