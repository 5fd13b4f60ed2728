//! The list of origins whose pages may call the service: exact ones, since each may read what
//! comes back. Answering them is left to `http`.

use super::server::is_host_name;
use super::setting::Fault;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const ACCEPTED: &str =
    "exact origins with commas between, such as https://app.example.org,http://localhost:3000";

/// Reads the list; each origin comes out as browsers spell it (RFC 6454 §6.2), once.
pub(super) fn read_origins(text: &str) -> Result<Vec<String>, Fault> {
    let mut origins = Vec::new();
    for item in text.split(',') {
        let origin = read_origin(item.trim())?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(origins)
}

fn read_origin(text: &str) -> Result<String, Fault> {
    if text.contains('*') {
        return Err(Fault("has a wildcard"));
    }
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or(Fault("has an origin without a scheme"))?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(Fault("has an origin that is neither http nor https")),
    };
    if authority.contains(['/', '?', '#', '@']) {
        return Err(Fault("has an origin with more than scheme, host and port"));
    }
    let (host, port) = split_port(authority)?;
    if !is_host(host) {
        return Err(Fault("has an origin whose host is neither a name in ASCII nor an IP address"));
    }
    Ok(match port {
        Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), Fault> {
    match authority.rsplit_once(':') {
        // The colon is one of an IPv6 address in brackets.
        Some((_, after)) if after.ends_with(']') => Ok((authority, None)),
        Some((host, port)) => match port.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(Fault("has an origin whose port is not a number from 1 to 65535")),
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
        ] {
            assert_eq!(read_origins(text).ok().unwrap(), origins, "{text}");
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
            "ftp://a.example.org",
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
