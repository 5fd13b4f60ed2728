//! What proxies say of whom they forward for: `X-Forwarded-For`, and `Forwarded` (RFC 7239). A
//! caller may write both, so nothing here may be believed before its teller is known.

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The hops of one of the headers, in their order: the last was written by the nearest proxy. A hop
/// that is no address (`unknown`, a name) is `None`.
pub(super) type Hops = Vec<Option<IpAddr>>;

/// The hops of `X-Forwarded-For`, where there is such a header.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> Option<Hops> {
    let hops: Hops = elements(headers, &X_FORWARDED_FOR).iter().map(|hop| address(hop)).collect();
    (!hops.is_empty()).then_some(hops)
}

/// The hops of `Forwarded`, where there is such a header. An element without `for` is a hop that
/// says nothing.
pub(super) fn forwarded(headers: &HeaderMap) -> Option<Hops> {
    let elements = elements(headers, &FORWARDED);
    let hops: Hops = elements.iter().map(|element| address(&parameter(element, "for")?)).collect();
    (!hops.is_empty()).then_some(hops)
}

/// Whether the nearest proxy says that its caller came by TLS.
pub(super) fn came_by_tls(headers: &HeaderMap) -> bool {
    let told = elements(headers, &X_FORWARDED_PROTO).pop();
    let told = told.or_else(|| parameter(elements(headers, &FORWARDED).last()?, "proto"));
    told.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

/// Whether anybody says anything of the kind.
pub(super) fn is_present(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// The elements of a list, over all lines of the header, cut at commas outside quotes.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let mut all = Vec::new();
    for value in headers.get_all(name) {
        // What is no text says nothing, and must not make the rest look nearer than it is.
        all.extend(value.to_str().map_or_else(|_| vec![String::new()], |text| cut(text, ',')));
    }
    all
}

fn cut(text: &str, separator: char) -> Vec<String> {
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

/// A parameter of an element: a token or a quoted string.
fn parameter(element: &str, name: &str) -> Option<String> {
    cut(element, ';').iter().find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        found.trim().eq_ignore_ascii_case(name).then(|| bare.to_owned())
    })
}

/// An address, with or without brackets and a port.
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

    fn shown(hops: Option<Hops>) -> Vec<String> {
        hops.into_iter().flatten().map(|hop| hop.map_or("-".to_owned(), |address| address.to_string())).collect()
    }

    #[test]
    fn hops_come_in_their_order_over_all_lines() {
        let lines = [
            (X_FORWARDED_FOR, "192.0.2.1, 192.0.2.2:80 ,unknown"),
            (X_FORWARDED_FOR, "[2001:db8::1]:443,2001:db8::2,::ffff:192.0.2.3"),
        ];
        let hops = shown(x_forwarded_for(&headers(&lines)));
        assert_eq!(hops, ["192.0.2.1", "192.0.2.2", "-", "2001:db8::1", "2001:db8::2", "192.0.2.3"]);
        assert_eq!(x_forwarded_for(&headers(&[])), None);
    }

    #[test]
    fn the_elements_of_rfc_7239_are_read() {
        let line = "For=\"[2001:db8:cafe::17]:4711\";proto=https, for=192.0.2.43;by=203.0.113.60,for=_hidden, \
                    proto=http, for=\"a,b;for=1.2.3.4\"";
        let headers = headers(&[(FORWARDED, line)]);
        assert_eq!(shown(forwarded(&headers)), ["2001:db8:cafe::17", "192.0.2.43", "-", "-", "-"]);
        assert!(!came_by_tls(&headers), "the nearest counts");
    }

    #[test]
    fn tls_is_what_the_nearest_proxy_says() {
        for (name, value, tls) in [
            (X_FORWARDED_PROTO, "https", true),
            (X_FORWARDED_PROTO, "https, http", false),
            (FORWARDED, "for=_x;proto=http, for=_y;proto=HTTPS", true),
        ] {
            assert_eq!(came_by_tls(&headers(&[(name, value)])), tls, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~]{0,60}") {
            let headers = headers(&[(FORWARDED, &text), (X_FORWARDED_FOR, &text)]);
            let _ = (forwarded(&headers), x_forwarded_for(&headers), came_by_tls(&headers));
        }
    }
}
