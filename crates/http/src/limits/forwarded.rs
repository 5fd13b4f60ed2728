//! Parsers for `X-Forwarded-For` and `Forwarded` (RFC 7239). Clients can forge both, so check first
//! that a trusted proxy sent them.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Hops of a forwarding header in order; the nearest proxy wrote the last. A hop that is not an IP
/// address (`unknown`, a name) is `None`.
pub(super) type Hops = Vec<Option<IpAddr>>;

/// Header in which a trusted proxy names its client. A proxy writes only one of the two and passes on
/// the other as the client sent it, so only the configured one is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// Returns the hops that the header names, or an empty list without such a header.
    pub(super) fn hops(self, headers: &HeaderMap) -> Hops {
        match self {
            Self::XForwardedFor => x_forwarded_for(headers),
            Self::Forwarded => forwarded(headers),
        }
    }

    /// Returns whether the nearest proxy reports that its client used TLS.
    pub(super) fn is_tls(self, headers: &HeaderMap) -> bool {
        let proto = match self {
            Self::XForwardedFor => list(headers, &X_FORWARDED_PROTO).pop(),
            Self::Forwarded => elements(headers, &FORWARDED).last().and_then(|hop| parameter(hop, "proto")),
        };
        proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
    }

    /// Returns whether the request has only the other header, so the setting may be wrong.
    pub(super) fn is_wrong_header(self, headers: &HeaderMap) -> bool {
        let (own, other) = match self {
            Self::XForwardedFor => (X_FORWARDED_FOR, FORWARDED),
            Self::Forwarded => (FORWARDED, X_FORWARDED_FOR),
        };
        !headers.contains_key(own) && headers.contains_key(other)
    }
}

fn x_forwarded_for(headers: &HeaderMap) -> Hops {
    list(headers, &X_FORWARDED_FOR).iter().map(|hop| address(hop)).collect()
}

/// Returns the hops of `Forwarded`. An element without `for` is an unknown hop.
fn forwarded(headers: &HeaderMap) -> Hops {
    elements(headers, &FORWARDED).iter().map(|element| address(&parameter(element, "for")?)).collect()
}

/// Returns whether the request has any forwarding header.
pub(super) fn is_present(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// Splits all lines of the header at commas.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    lines(headers, name).flat_map(|line| split_plain(&line)).collect()
}

/// Splits all lines of the header at commas outside quotes. Ignores a quote that is never closed:
/// otherwise a client could open one that swallows what a proxy appends.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let closed = |line: &str| line.matches('"').count().is_multiple_of(2);
    lines(headers, name).flat_map(|line| if closed(&line) { split(&line, ',') } else { split_plain(&line) }).collect()
}

/// Returns the lines of a header. Replaces invalid UTF-8, so that it cannot hide what follows.
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> {
    headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

fn split_plain(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for character in text.chars() {
        quoted ^= character == '"';
        if character == separator && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// Returns a parameter of an element: a token or a quoted string.
fn parameter(element: &str, name: &str) -> Option<String> {
    split(element, ';').iter().find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        found.trim().eq_ignore_ascii_case(name).then(|| bare.to_owned())
    })
}

/// Parses an IP address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare().or_else(socket).or_else(brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn shown(hops: Hops) -> Vec<String> {
        hops.into_iter().map(|hop| hop.map_or("-".to_owned(), |address| address.to_string())).collect()
    }

    #[test]
    fn hops_come_in_their_order_over_all_lines() {
        let lines = [
            (X_FORWARDED_FOR, "192.0.2.1, 192.0.2.2:80 ,unknown"),
            (X_FORWARDED_FOR, "[2001:db8::1]:443,2001:db8::2,::ffff:192.0.2.3"),
        ];
        let hops = shown(x_forwarded_for(&headers(&lines)));
        assert_eq!(hops, ["192.0.2.1", "192.0.2.2", "-", "2001:db8::1", "2001:db8::2", "192.0.2.3"]);
        assert!(x_forwarded_for(&headers(&[])).is_empty());
    }

    #[test]
    fn the_elements_of_rfc_7239_are_read() {
        let line = "For=\"[2001:db8:cafe::17]:4711\";proto=https, for=192.0.2.43;by=203.0.113.60,for=_hidden, \
                    proto=http, for=\"a,b;for=1.2.3.4\"";
        let headers = headers(&[(FORWARDED, line)]);
        assert_eq!(shown(forwarded(&headers)), ["2001:db8:cafe::17", "192.0.2.43", "-", "-", "-"]);
        assert!(!ForwardedHeader::Forwarded.is_tls(&headers), "the nearest counts");
    }

    #[test]
    fn nothing_that_a_caller_begins_swallows_what_a_proxy_adds() {
        for forged in ["\"x", "for=\"x", "\u{ff}", "for=\"x\\\"", "\"a\";\"", ""] {
            let lines =
                [(X_FORWARDED_FOR, format!("{forged}, 192.0.2.1")), (FORWARDED, format!("{forged}, for=192.0.2.1"))];
            let told = lines.map(|(name, line)| headers(&[(name, &line)]));
            let last = |hops: Hops| shown(hops).pop();
            assert_eq!(last(x_forwarded_for(&told[0])).as_deref(), Some("192.0.2.1"), "{forged}");
            assert_eq!(last(forwarded(&told[1])).as_deref(), Some("192.0.2.1"), "{forged}");
            let quoted = headers(&[(FORWARDED, &format!("{forged}, for=\"[2001:db8::1]:99\""))]);
            assert_eq!(last(forwarded(&quoted)).as_deref(), Some("2001:db8::1"), "{forged}");
        }
    }

    #[test]
    fn tls_is_what_the_nearest_proxy_says() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        for (believed, name, value, tls) in [
            (XForwardedFor, X_FORWARDED_PROTO, "https", true),
            (XForwardedFor, X_FORWARDED_PROTO, "https, http", false),
            (XForwardedFor, FORWARDED, "for=_x;proto=https", false),
            (Forwarded, FORWARDED, "for=_x;proto=http, for=_y;proto=HTTPS", true),
            (Forwarded, X_FORWARDED_PROTO, "https", false),
        ] {
            assert_eq!(believed.is_tls(&headers(&[(name, value)])), tls, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~]{0,60}") {
            let headers = headers(&[(FORWARDED, &text), (X_FORWARDED_FOR, &text)]);
            for believed in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let _ = (believed.hops(&headers), believed.is_tls(&headers));
            }
        }
    }
}
