//! Proxies whose forwarding headers are trusted.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Trusted proxies. If empty, forwarding headers are ignored.
///
/// ```
/// use portcullis_http::TrustedProxies;
/// use std::net::Ipv4Addr;
/// let proxies: TrustedProxies = "10.0.0.0/8, 2001:db8::1".parse()?;
/// assert!(proxies.contains(Ipv4Addr::new(10, 1, 2, 3).into()));
/// assert!(!proxies.contains(Ipv4Addr::new(11, 0, 0, 1).into()));
/// assert!("10.0.0.1/8".parse::<TrustedProxies>().is_err(), "bits past the prefix");
/// # Ok::<(), portcullis_http::ParseProxiesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Error for an entry that is neither an IP address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseProxiesError;

impl fmt::Display for ParseProxiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("has an entry that is neither an IP address nor a network")
    }
}

impl std::error::Error for ParseProxiesError {}

impl FromStr for TrustedProxies {
    type Err = ParseProxiesError;

    /// Parses a comma-separated list of IP addresses and networks in CIDR notation (RFC 4632).
    fn from_str(text: &str) -> Result<Self, ParseProxiesError> {
        let network = |text: &str| {
            let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
            network.ok().filter(|network| network.trunc() == *network)
        };
        let networks = text.split(',').map(|entry| network(entry.trim()));
        networks.collect::<Option<_>>().map(Self).ok_or(ParseProxiesError)
    }
}

/// Prefix lengths of the widest private networks: 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193).
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 7;

impl TrustedProxies {
    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no proxy is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the address belongs to a trusted proxy. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns whether a network is wider than any private one, and so contains public addresses.
    #[must_use]
    pub fn has_public(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() < if network.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_wider_than_any_private_one_is_public() {
        for (text, public) in [
            ("0.0.0.0/0", true),
            ("128.0.0.0/1", true),
            ("127.0.0.1,8.0.0.0/7", true),
            ("::/0", true),
            ("2000::/3", true),
            ("10.0.0.0/8,127.0.0.1,fc00::/7,::1", false),
        ] {
            assert_eq!(text.parse::<TrustedProxies>().unwrap().has_public(), public, "{text}");
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
            let proxies: TrustedProxies = text.parse().unwrap();
            assert!(proxies.contains(inside.parse().unwrap()), "{text}");
            assert!(!proxies.contains(outside.parse().unwrap()), "{text}");
        }
        for text in
            "|/8|10.0.0.0/|10.0.0.0/33|10.0.0.0/+8|10.0.0.1/8|::/129|*|localhost|10.0.0.0/8/8|10.0.0.0/8,".split('|')
        {
            assert_eq!(text.parse::<TrustedProxies>(), Err(ParseProxiesError), "{text}");
        }
    }
}
