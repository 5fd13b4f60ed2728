//! Periodic maintenance, run by a timer or an operator.

mod batch_size;
mod purge;
mod reencrypt;

pub use batch_size::BatchStep;
pub(crate) use batch_size::{BatchSize, StepTiming};
pub use purge::{Purge, Purged, Tombstone};
pub use reencrypt::{Reencrypt, SecretCounts};
