//! Circuit breaker: rules in `machine`; lock, clock and listeners in `circuit`; the public API in
//! `calls`.

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
