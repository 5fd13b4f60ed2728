//! Rules for the URLs and addresses of calls.

use crate::addresses::{is_private, is_public};
use portcullis_ports::OutboundError;
use std::net::IpAddr;
use url::{Host, Origin, Url};

/// Addresses that calls may go to, besides public ones.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    unrestricted: bool,
    private: bool,
    loopback: Vec<Origin>,
}

impl AddressPolicy {
    /// Creates a policy that allows private and loopback addresses if `private` is set.
    #[must_use]
    pub fn new(private: bool) -> Self {
        Self { private, ..Self::default() }
    }

    /// Creates a policy that allows every address, also by plain http. Only for URLs that the operator names.
    #[must_use]
    pub fn unrestricted() -> Self {
        Self { unrestricted: true, ..Self::default() }
    }

    /// Also allows the scheme, host and port of this URL if its host is a loopback address or `localhost`. Other
    /// ports of this machine stay refused: a discovery document could name them.
    #[must_use]
    pub fn with_origin(mut self, url: &str) -> Self {
        self.loopback.extend(Url::parse(url).ok().filter(names_loopback).map(|url| url.origin()));
        self
    }

    /// Parses a URL. Returns it as this library spells it, so that all readers see the same host.
    pub(crate) fn read(&self, url: &str) -> Result<Url, OutboundError> {
        let url = Url::parse(url).map_err(|_| forbidden("the URL is not valid"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden("the URL has a user name or a password"));
        }
        match url.scheme() {
            "https" => {}
            "http" if self.unrestricted || names_loopback(&url) => {}
            "http" => return Err(forbidden("plain http is allowed only to a loopback address")),
            _ => return Err(forbidden("the URL does not start with https://")),
        }
        if url.port() == Some(0) { Err(forbidden("the URL has port 0")) } else { Ok(url) }
    }

    /// Returns whether calls to this URL may go to an address that its host resolves to.
    pub(crate) fn allows(&self, url: &Url, address: IpAddr) -> bool {
        if self.unrestricted {
            return true;
        }
        if names_loopback(url) {
            // Without TLS nothing else proves that localhost is this machine.
            return address.is_loopback() && (self.private || self.loopback.contains(&url.origin()));
        }
        is_public(address) || self.private && is_private(address)
    }
}

/// Returns whether the host is a loopback address or `localhost` (RFC 6761 §6.3).
fn names_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn forbidden(what: &str) -> OutboundError {
    OutboundError::Forbidden(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_https_or_http_to_loopback() {
        let read = |url: &str| AddressPolicy::default().read(url).map(|url| url.to_string());
        for url in ["https://a.example/b?c=d", "http://localhost:1/", "http://127.9.9.9/", "http://[::1]:80/"] {
            assert!(read(url).is_ok(), "{url}");
        }
        assert_eq!(read("http://0x7f.1:80/a").unwrap(), "http://127.0.0.1/a", "one spelling of an address");
        for url in [
            "http://a.example/",
            "http://10.0.0.1/",
            "http://localhost.example/",
            "http://localhost./",
            "http://0.0.0.0/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::]/",
            "file:///etc/passwd",
            "ftp://a.example/",
            "https://user:marker@a.example/",
            "https://marker@a.example/",
            "https://a.example:0/",
            "https:///?marker",
            "a.example/marker",
            "",
        ] {
            let refused = read(url).unwrap_err();
            assert!(matches!(refused, OutboundError::Forbidden(_)), "{url}: {refused:?}");
            assert!(!refused.to_string().contains("marker"), "{refused}");
        }
    }

    #[test]
    fn operators_may_name_any_address() {
        let policy = AddressPolicy::unrestricted();
        for (url, address) in [("http://app:8000/health", "10.0.0.1"), ("http://127.0.0.1:8000/", "127.0.0.1")] {
            assert!(policy.allows(&policy.read(url).unwrap(), address.parse().unwrap()), "{url}");
        }
        assert!(policy.read("file:///etc/passwd").is_err());
    }

    #[test]
    fn loopback_is_allowed_only_for_configured_origins() {
        let allows = |policy: &AddressPolicy, url: &str, address: &str| {
            policy.allows(&Url::parse(url).unwrap(), address.parse().unwrap())
        };
        let [public, inner] = [AddressPolicy::default(), AddressPolicy::new(true)];
        let dev = public.clone().with_origin("http://localhost:8080/realms/a").with_origin("https://a.example/");
        for (policy, url, address, allowed) in [
            (&public, "https://a.example", "1.1.1.1", true),
            (&public, "https://a.example", "127.0.0.1", false),
            (&public, "https://a.example", "10.0.0.1", false),
            (&public, "https://1.1.1.1", "1.1.1.1", true),
            (&public, "http://localhost:8080", "127.0.0.1", false),
            (&dev, "http://localhost:8080/token", "127.0.0.1", true),
            (&dev, "http://localhost:8080/token", "::1", true),
            (&dev, "http://localhost:8080/token", "1.1.1.1", false),
            (&dev, "http://localhost:9464/metrics", "127.0.0.1", false),
            (&dev, "https://localhost:8080/token", "127.0.0.1", false),
            (&dev, "http://127.0.0.1:8080/token", "127.0.0.1", false),
            (&dev, "https://a.example/", "127.0.0.1", false),
            (&inner, "https://a.example", "127.0.0.1", true),
            (&inner, "https://a.example", "10.0.0.1", true),
            (&inner, "https://a.example", "1.1.1.1", true),
            (&inner, "https://a.example", "169.254.169.254", false),
            (&inner, "http://localhost:1", "::1", true),
            (&inner, "http://localhost:1", "10.0.0.1", false),
        ] {
            assert_eq!(allows(policy, url, address), allowed, "{url} at {address} by {policy:?}");
        }
    }
}
