//! A model check of one session: every order in which the statements of up to three clients can
//! meet, with answers that are lost, requests that die and time that passes. The use cases and the
//! verdicts are the real ones; the database is a model of PostgreSQL's and of SQLite's isolation.
//!
//! `PORTCULLIS_TEST_LONG=1` has longer histories.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod accounts;
mod answers;
mod clients;
mod database;
mod explorer;
mod mutants;
mod properties;
mod replay;
mod rows;
mod scenarios;
mod strangers;
mod tokens;
mod world;
