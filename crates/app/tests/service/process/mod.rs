//! The process: how it starts, and refuses to, and what operators do by commands. What it does
//! while something breaks is left to the tests of faults.

mod accounts;
mod configuration;
mod deletions;
mod doctor;
mod metrics;
mod newcomer;
mod operators;
mod postgres;
mod purging;
mod refusals;
mod traces;
mod warnings;
