//! The process: how it starts, and refuses to, and what operators do by commands. What it does
//! while something breaks is left to the tests of faults.

mod accounts;
mod cli_harness;
mod configuration;
mod deletions;
mod doctor;
mod metrics;
mod newcomer;
mod postgres;
mod purging;
mod startup_errors;
mod traces;
mod warnings;
