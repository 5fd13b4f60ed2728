//! The process: how it starts, and refuses to. What it does while something breaks is left to
//! the tests of faults.

mod configuration;
mod metrics;
mod purging;
mod refusals;
mod traces;
