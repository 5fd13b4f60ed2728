//! Load generator. It shares the machine with the server, so one request may cost it only a
//! few microseconds. That is why it is no client library, with a runtime, a pool and a header map: one
//! thread polls many plain sockets, and reads of a response only what a flow needs.

pub(super) mod accounts;
pub(super) mod connection;
pub(super) mod flows;
mod http;
pub(super) mod load;
pub(super) mod passkey;
pub(super) mod probes;
pub(super) mod provider;
pub(super) mod second_factor;
#[cfg(test)]
mod tests;
