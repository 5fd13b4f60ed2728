//! IP address of the client: the socket's, or the one that trusted proxies report.

use super::TrustedProxies;
use super::forwarded::{self, ForwardedHeader, Hops};
use crate::api::Api;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use std::net::IpAddr;
use std::sync::Once;

/// IP address of a client, and whether it used TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    /// IP address; `None` only if the socket is already closed.
    pub(crate) address: Option<IpAddr>,
    /// True if a trusted proxy reports that the client used TLS.
    pub(crate) tls: bool,
}

impl ClientAddress {
    /// Reads the client of a request.
    pub(crate) fn from_request(request: &HttpRequest, api: &Api) -> Self {
        let Some(peer) = request.peer_addr() else { return Self { address: None, tls: false } };
        let identity = &api.config;
        Self::behind(peer.ip().to_canonical(), request.headers(), &identity.proxies, identity.forwarded)
    }

    fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies, believed: ForwardedHeader) -> Self {
        if !proxies.contains(peer) {
            if forwarded::is_present(headers) {
                warn_once(proxies);
            }
            return Self { address: Some(peer), tls: false };
        }
        if believed.is_wrong_header(headers) {
            warn_about_header_setting();
        }
        let address = rightmost_untrusted(peer, &believed.hops(headers), proxies);
        Self { address: Some(address), tls: believed.is_tls(headers) }
    }
}

/// Returns the rightmost hop that is not a trusted proxy; a client may have forged the hops to its
/// left. A hop that is not an IP address ends the search: the proxy that reported it is the nearest
/// known hop.
fn rightmost_untrusted(peer: IpAddr, hops: &Hops, proxies: &TrustedProxies) -> IpAddr {
    let mut nearest = peer;
    for hop in hops.iter().rev() {
        let Some(address) = hop else { break };
        nearest = *address;
        if !proxies.contains(nearest) {
            break;
        }
    }
    nearest
}

/// Warns about a proxy missing from `TRUSTED_PROXIES`, whose clients all share one budget.
fn warn_once(proxies: &TrustedProxies) {
    static TOLD: Once = Once::new();
    let trusted = proxies.len();
    TOLD.call_once(|| {
        tracing::warn!(
            target: "app", trusted_proxies = trusted,
            "Forwarding headers came from an address that is not in TRUSTED_PROXIES, and are not believed",
        );
    });
}

/// Warns about a wrong `FORWARDED_HEADER`: all clients of such a proxy count as one source.
fn warn_about_header_setting() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            target: "app",
            "A trusted proxy sent the forwarding header that FORWARDED_HEADER does not name, and it was ignored",
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ForwardedHeader::{Forwarded, XForwardedFor};
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn client(peer: &str, lines: &[(&str, &str)], believed: ForwardedHeader) -> String {
        let proxies = "10.0.0.0/8,::1".parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        ClientAddress::behind(peer.parse().unwrap(), &headers, &proxies, believed).address.unwrap().to_string()
    }

    #[test]
    fn strangers_are_believed_nothing() {
        for believed in [XForwardedFor, Forwarded] {
            for header in [("x-forwarded-for", "192.0.2.9"), ("forwarded", "for=192.0.2.9")] {
                assert_eq!(client("192.0.2.1", &[header], believed), "192.0.2.1");
            }
        }
    }

    #[test]
    fn trusted_proxies_are_read_from_the_right() {
        for (hops, address) in [
            ("192.0.2.9", "192.0.2.9"),
            ("203.0.113.1, 192.0.2.9", "192.0.2.9"),
            ("203.0.113.1, 192.0.2.9, 10.0.0.7, 10.0.0.8", "192.0.2.9"),
            ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
            ("203.0.113.1, unknown, 10.0.0.8", "10.0.0.8"),
            ("203.0.113.1, ", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", hops)], XForwardedFor), address, "{hops}");
        }
        let element = ("forwarded", "for=\"[2001:db8::1]:99\", for=10.2.3.4");
        assert_eq!(client("::1", &[element], Forwarded), "2001:db8::1");
    }

    #[test]
    fn the_header_that_is_not_chosen_is_ignored() {
        let (plain, element) = (("x-forwarded-for", "192.0.2.9"), ("forwarded", "for=203.0.113.1"));
        for lines in [[plain, element], [element, plain]] {
            assert_eq!(client("10.0.0.1", &lines, XForwardedFor), "192.0.2.9");
            assert_eq!(client("10.0.0.1", &lines, Forwarded), "203.0.113.1");
        }
        assert_eq!(client("10.0.0.1", &[plain], Forwarded), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[element], XForwardedFor), "10.0.0.1");
    }
}
