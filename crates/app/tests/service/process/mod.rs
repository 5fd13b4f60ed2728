//! The process: starts, refused starts and operator commands. `tests/faults` covers its behavior during
//! faults.

mod accounts;
mod alerts;
pub(crate) mod cli_harness;
mod configuration;
mod deletions;
mod doctor;
mod health;
mod metrics;
mod newcomer;
mod pipes;
mod postgres;
mod purging;
mod redo;
mod startup_errors;
mod systemd;
mod traces;
mod user_show;
mod warnings;
