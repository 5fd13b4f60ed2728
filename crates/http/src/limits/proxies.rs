//! Proxies whose forwarding headers are trusted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// IP network in CIDR notation (RFC 4632).
///
/// ```
/// use portcullis_http::IpNetwork;
/// use std::net::Ipv4Addr;
/// let network: IpNetwork = "10.0.0.0/8".parse()?;
/// assert!(network.contains(Ipv4Addr::new(10, 1, 2, 3).into()));
/// assert!(!network.contains(Ipv4Addr::new(11, 0, 0, 1).into()));
/// assert!("10.0.0.1/8".parse::<IpNetwork>().is_err(), "bits past the prefix");
/// # Ok::<(), portcullis_http::ParseNetworkError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    first: IpAddr,
    prefix: u32,
}

/// Error for text that is not an IP network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseNetworkError;

impl fmt::Display for ParseNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not an IP address or a network such as 10.0.0.0/8")
    }
}

impl std::error::Error for ParseNetworkError {}

impl FromStr for IpNetwork {
    type Err = ParseNetworkError;

    /// Parses an IP address, or one with a prefix length after which all bits are zero.
    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| ParseNetworkError)?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            Some(text) => Some(text).filter(digits).and_then(|text| text.parse().ok()).ok_or(ParseNetworkError)?,
            None => width,
        };
        let network = Self { first, prefix };
        if prefix <= width && masked(first, prefix) == first { Ok(network) } else { Err(ParseNetworkError) }
    }
}

/// Widest private networks: 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193).
const WIDEST_V4: u32 = 8;
const WIDEST_V6: u32 = 7;

impl IpNetwork {
    /// Returns whether the network is wider than any private one, and so contains public addresses.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.prefix < if self.first.is_ipv4() { WIDEST_V4 } else { WIDEST_V6 }
    }

    /// Returns whether the network contains the address. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or_default();
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or_default();
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Trusted proxies. If empty, forwarding headers are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(pub Vec<IpNetwork>);

impl TrustedProxies {
    /// Returns whether the address belongs to a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_wider_than_any_private_one_is_public() {
        for text in ["0.0.0.0/0", "128.0.0.0/1", "8.0.0.0/7", "::/0", "2000::/3"] {
            assert!(text.parse::<IpNetwork>().unwrap().is_public(), "{text}");
        }
        for text in ["10.0.0.0/8", "127.0.0.1", "fc00::/7", "::1"] {
            assert!(!text.parse::<IpNetwork>().unwrap().is_public(), "{text}");
        }
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        for (text, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("172.16.0.0/12", "::ffff:172.31.255.255", "172.32.0.0"),
            ("::1", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            let network: IpNetwork = text.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "::/129",
            "*",
            "localhost",
            "10.0.0.0/8/8",
        ] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text}");
        }
    }
}
