//! The load generator. It shares the machine with what it measures, so one request costs it a
//! few microseconds: one thread waits for many plain sockets, and nothing is parsed twice.

pub(super) mod accounts;
pub(super) mod connection;
pub(super) mod flows;
mod http;
pub(super) mod load;
pub(super) mod probes;
#[cfg(test)]
mod tests;
