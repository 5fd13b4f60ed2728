//! Parses the list of CORS origins. Only exact origins are accepted, because the pages of each may read
//! responses.

use super::server::is_host_name;
use super::setting::InvalidValue;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const ACCEPTED: &str =
    "comma-separated exact origins, such as https://app.example.org,http://localhost:3000,capacitor://localhost";

/// Parses the list. Returns each origin once, as browsers spell it (RFC 6454 §6.2). Mobile shells and browser
/// extensions have their own schemes, whose hosts keep their case (URL standard, §3.5).
pub(super) fn read_origins(text: &str) -> Result<Vec<String>, InvalidValue> {
    let mut origins = Vec::new();
    for item in text.split(',') {
        let origin = read_origin(item.trim())?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(origins)
}

/// Returns the origin of a URL, as browsers spell it.
pub(super) fn origin_of(url: &str) -> String {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(place, _)| place);
    let origin = url.get(..end).unwrap_or(url);
    read_origin(origin).unwrap_or_else(|_| origin.to_owned())
}

fn read_origin(text: &str) -> Result<String, InvalidValue> {
    if text.contains('*') {
        return Err(InvalidValue("has a wildcard"));
    }
    let (scheme, authority) = text.split_once("://").ok_or(InvalidValue("has an origin without a scheme"))?;
    if !is_scheme(scheme) {
        return Err(InvalidValue("has an origin whose scheme is not valid"));
    }
    let scheme = scheme.to_ascii_lowercase();
    let (default_port, authority) = match scheme.as_str() {
        "http" => (Some(80), authority.to_ascii_lowercase()),
        "https" => (Some(443), authority.to_ascii_lowercase()),
        // Pages with these schemes have the origin `null`.
        "file" | "data" | "blob" => return Err(InvalidValue("has an origin whose scheme has no host")),
        _ => (None, authority.to_owned()),
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Err(InvalidValue("has an origin with more than scheme, host and port"));
    }
    let (host, port) = split_port(&authority)?;
    if !is_host(host) {
        return Err(InvalidValue("has an origin whose host is neither a name in ASCII nor an IP address"));
    }
    Ok(match port {
        Some(port) if Some(port) != default_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// Returns whether the text is a scheme (RFC 3986 §3.1) of up to 64 characters, which HTTP libraries accept.
fn is_scheme(text: &str) -> bool {
    let (first, rest) = (text.bytes().next(), text.bytes().skip(1));
    text.len() <= 64
        && first.is_some_and(|b| b.is_ascii_alphabetic())
        && rest.into_iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidValue> {
    match authority.rsplit_once(':') {
        // This colon is part of an IPv6 address in brackets.
        Some((_, after)) if after.ends_with(']') => Ok((authority, None)),
        Some((host, port)) => match port.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(InvalidValue("has an origin whose port is not a number from 1 to 65535")),
        },
        None => Ok((authority, None)),
    }
}

fn is_host(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok() || is_host_name(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_come_out_as_browsers_spell_them() {
        for (text, origins) in [
            ("https://app.example.org", vec!["https://app.example.org"]),
            (
                "https://App.Example.org:443 , http://localhost:3000",
                vec!["https://app.example.org", "http://localhost:3000"],
            ),
            ("http://127.0.0.1:80,http://127.0.0.1", vec!["http://127.0.0.1"]),
            ("http://[::1]:8080,http://[::1]", vec!["http://[::1]:8080", "http://[::1]"]),
            ("capacitor://localhost,Tauri://localhost", vec!["capacitor://localhost", "tauri://localhost"]),
            ("chrome-extension://abcdefghijklmnop", vec!["chrome-extension://abcdefghijklmnop"]),
            ("app+x.1://Some-Host:80", vec!["app+x.1://Some-Host:80"]),
        ] {
            assert_eq!(read_origins(text).ok().unwrap(), origins, "{text}");
        }
    }

    #[test]
    fn a_url_has_the_origin_of_its_page() {
        for (url, origin) in [
            ("https://Id.Example.org:443/auth/x", "https://id.example.org"),
            ("http://localhost:8001/id", "http://localhost:8001"),
            ("https://id.example.org", "https://id.example.org"),
            ("http://localhost:0", "http://localhost:0"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }

    #[test]
    fn what_is_no_exact_origin_is_refused() {
        for text in [
            "*",
            "https://*.example.org",
            "https://a.example.org/",
            "https://a.example.org/path",
            "https://a.example.org?q",
            "https://u@a.example.org",
            "https://a.example.org,",
            "a.example.org",
            "null",
            "capacitor://",
            "tauri://localhost/",
            "ext://*",
            "1a://localhost",
            "a_b://localhost",
            "://localhost",
            "file://localhost",
            "https://",
            "https://a b",
            "https://bücher.example",
            "https://a.example.org:0",
            "https://a.example.org:x",
            "https://1.2.3.4.5",
        ] {
            assert!(read_origins(text).is_err(), "{text}");
        }
    }
}
