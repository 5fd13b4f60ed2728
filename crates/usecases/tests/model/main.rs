//! A model check of one session: every interleaving of the statements of up to three clients, with lost
//! responses, killed requests and passing time. The use cases and the verdicts are the real ones; the
//! database models the isolation of PostgreSQL and of SQLite.
//!
//! `PORTCULLIS_TEST_LONG=1` explores longer histories.

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
