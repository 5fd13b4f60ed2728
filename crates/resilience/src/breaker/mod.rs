//! The circuit breaker: rules in `machine`, lock, clock and listeners in `circuit`, and the
//! comfortable forms in `calls`. What it stands around is left to its caller.

mod builder;
mod calls;
mod circuit;
mod classify;
mod error;
mod machine;
mod permit;
mod settings;
mod state;

pub use builder::Builder;
pub use calls::CircuitBreaker;
pub use classify::{Classify, EveryError};
pub use error::{CallError, CircuitOpen};
pub use machine::{Machine, Outcome, Ticket};
pub use permit::Permit;
pub use settings::BreakerSettings;
pub use state::{Snapshot, State, Totals, Transition};
