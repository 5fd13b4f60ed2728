//! Ports for temporary servers.

use std::hash::{BuildHasher, RandomState};

/// Returns unused ports below the range of outgoing connections. Otherwise a client of a stopped server
/// could connect to itself.
pub(crate) fn free_ports() -> impl Iterator<Item = u16> {
    let random = || 10_000 + u16::try_from(RandomState::new().hash_one(()) % 22_000).unwrap_or_default();
    std::iter::repeat_with(random).filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
}
