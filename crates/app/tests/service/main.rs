//! The real binary over real sockets, on both databases. `contract` checks the promises to clients, `process`
//! the start, `keys` the signing keys and `readme` the README's commands. Settings are in `tests/settings`
//! and faults in `tests/faults`.

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
mod cookies;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "the tests of faults use the rest of it")]
mod harness;
mod keys;
mod limits;
mod mail;
mod mfa;
mod pages;
mod passkeys;
mod prelude;
mod process;
mod providers;
mod readme;
