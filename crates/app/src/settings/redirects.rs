//! Parses the list of redirect URIs. Only exact URIs are accepted, because each receives sign-in codes (RFC 9700
//! §2.1).

use super::mail::check_url;
use super::setting::InvalidValue;

pub(super) const ACCEPTED: &str = "comma-separated exact URIs: https://host/path; http://127.0.0.1/path or http://[::1]/path, \
                                   which stand for every port; com.example.app:/path (a scheme with a dot)";

/// Parses the list. Returns each URI once.
pub(super) fn read(text: &str) -> Result<Vec<String>, InvalidValue> {
    let mut uris = Vec::new();
    for uri in text.split(',').map(str::trim) {
        check(uri)?;
        if !uris.iter().any(|known| known == uri) {
            uris.push(uri.to_owned());
        }
    }
    Ok(uris)
}

fn check(uri: &str) -> Result<(), InvalidValue> {
    if uri.contains('*') {
        return Err(InvalidValue("has a wildcard"));
    }
    if uri.contains('#') {
        return Err(InvalidValue("has a fragment"));
    }
    let (scheme, rest) = uri.split_once(':').ok_or(InvalidValue("has a URI without a scheme"))?;
    if !matches!(scheme, "https" | "http") {
        return check_private_use(scheme, rest);
    }
    let authority = rest.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(authority, |(host, _)| host);
    if host.eq_ignore_ascii_case("localhost") {
        // Another program may resolve the name to another machine (RFC 8252 §8.3).
        return Err(InvalidValue("names localhost instead of 127.0.0.1 or [::1]"));
    }
    if scheme == "http" && !matches!(host, "127.0.0.1" | "[::1]") {
        return Err(InvalidValue("has plain http beyond 127.0.0.1 and [::1]"));
    }
    check_url(uri)
}

/// Checks a URI with a scheme of an app (RFC 8252 §7.1).
fn check_private_use(scheme: &str, rest: &str) -> Result<(), InvalidValue> {
    if !scheme.contains('.') {
        return Err(InvalidValue("has a scheme that is neither https nor http and has no dot"));
    }
    let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && is_scheme && is_plain && rest.starts_with('/') {
        return Ok(());
    }
    Err(InvalidValue("has a URI that is not scheme:/path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_exact_and_lead_to_one_place() {
        for good in [
            "https://app.example.org/callback",
            "https://app.example.org",
            "https://app.example.org:8443/a?b=c",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:3000/",
            "http://[::1]/callback",
            "http://[::1]:3000",
            "com.example.app:/callback",
            "com.example.app://callback",
        ] {
            assert_eq!(read(good), Ok(vec![good.to_owned()]), "{good}");
        }
        assert_eq!(read("https://a.example/b , https://a.example/c,https://a.example/b").unwrap().len(), 2);
        for bad in [
            "http://app.example.org/callback",
            "http://localhost/callback",
            "http://LOCALHOST:3000/",
            "https://localhost/callback",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1@example.org/",
            "https://*.example.org/",
            "https://app.example.org/*",
            "https://app.example.org/#a",
            "https://user@app.example.org/",
            "https://app.example.org/ a",
            "https:app.example.org",
            "https://",
            "HTTPS://app.example.org/",
            "/callback",
            "app.example.org/callback",
            "myapp:/callback",
            "javascript:alert(1)",
            "com.example.app:callback",
            "com.example.app:/\u{e9}",
            "1.com:/callback",
            "https://a.example/,",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
