//! Where a call comes from, as budgets see it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address, or the /64 network of an IPv6 address: the least that one subscriber has
/// (RFC 6177), so that one subscriber has one budget.
///
/// ```
/// use portcullis_domain::limits::Source;
/// let source = |text: &str| text.parse().map(Source::of);
/// assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
/// assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
/// assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
/// assert_eq!(source("2001:db8::1")?.to_string(), "2001:db8::/64");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address, the rest zero.
    V6(Ipv6Addr),
}

impl Source {
    /// The source of an address. An IPv4 address within an IPv6 one is itself (RFC 4291
    /// §2.5.5.2).
    #[must_use]
    pub fn from_ip(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(network) => write!(f, "{network}/64"),
        }
    }
}
