//! Fault injection: each fault of `docs/reliability.md` against the real binary over real sockets. Checks the
//! promises that hold during and after the fault. A test takes at most 30 s; `PORTCULLIS_TEST_LONG=1` runs
//! the long form.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod backup;
mod circuit;
mod client_disconnects;
mod clocks;
mod collector;
mod connections;
mod contention;
mod damage;
mod disk;
mod expired_rows;
mod file;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "the tests of the contract use the rest of it")]
mod harness;
mod kills;
mod load;
mod mail;
mod network;
mod oracle;
mod outage;
mod output;
mod overload;
mod panics;
mod pipelines;
mod power;
mod prelude;
mod redis;
mod resource_limits;
mod signals;
mod slow_clients;
mod upgrade;
