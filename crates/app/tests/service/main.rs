//! The real binary, over real sockets, on both databases: `contract` holds every sentence of the
//! HTTP contract against it, `process` kills, starves and restarts it. What settings mean is left
//! to `tests/settings`.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step fails the test"
)]

mod contract;
mod harness;
mod process;
