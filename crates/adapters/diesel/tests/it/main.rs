//! Tests of the store through its public interface, on both databases: the conformance suite, and
//! adoption, damage, locks, lost files and lost servers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed step fails the test")]

mod adoption;
mod logs;
mod mail;
mod plans;
mod postgres;
mod samples;
mod sqlite;
