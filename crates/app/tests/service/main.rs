//! The real binary, over real sockets, on both databases: `contract` holds what callers are
//! promised against it, `process` its start, `keys` how tokens are signed, `readme` the commands of the README. What settings mean is
//! left to `tests/settings`, what breaks to `tests/faults`.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod accounts;
mod contract;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "the tests of faults use the rest of it")]
mod harness;
mod keys;
mod limits;
mod mail;
mod process;
mod readme;
