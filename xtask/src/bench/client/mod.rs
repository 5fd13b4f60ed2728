//! Load generator. It shares the machine with the server, so one request costs it only a few
//! microseconds: one thread polls many plain sockets, and nothing is parsed twice.

pub(super) mod accounts;
pub(super) mod connection;
pub(super) mod flows;
mod http;
pub(super) mod load;
pub(super) mod probes;
#[cfg(test)]
mod tests;
