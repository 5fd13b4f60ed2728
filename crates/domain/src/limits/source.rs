//! Source of a call: the range of IP addresses that rate limits count together.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 address, or /64 network of an IPv6 address. A subscriber has at least a /64 (RFC 6177), so one
/// subscriber has one budget.
///
/// ```
/// use portcullis_domain::limits::Source;
/// let source = |text: &str| text.parse().map(Source::from_ip);
/// assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
/// assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
/// assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
/// assert_eq!(source("2001:db8::1")?.to_string(), "2001:db8::/64");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// IPv4 address.
    V4(Ipv4Addr),
    /// First 64 bits of an IPv6 address; the rest is zero.
    V6(Ipv6Addr),
}

impl Source {
    /// Returns the source of an IP address. An IPv4-mapped IPv6 address counts as IPv4 (RFC 4291
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
