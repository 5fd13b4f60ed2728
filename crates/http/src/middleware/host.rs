//! `Host` validation, which the HTTP library leaves out.

use actix_web::dev::ServiceRequest;
use actix_web::http::Version;
use actix_web::http::header::HOST;

/// Returns whether the request has exactly one well-formed `Host` (RFC 9112 §3.2, RFC 9110 §7.2).
/// HTTP/1.0 requests may omit it.
pub(super) fn is_valid(request: &ServiceRequest) -> bool {
    let mut hosts = request.headers().get_all(HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_authority),
        (None, None) => request.version() < Version::HTTP_11,
        _ => false,
    }
}

/// Matches `uri-host [ ":" port ]` (RFC 3986 §3.2.2).
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let well_formed = match inner {
        Some(literal) => !literal.is_empty() && literal.bytes().all(|b| b.is_ascii_hexdigit() || b":.%".contains(&b)),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&b)),
    };
    well_formed && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_authority;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in ["example.org", "example.org:8000", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b.c", "localhost:"] {
            assert!(is_authority(good), "{good}");
        }
        for bad in ["", ":80", "a b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "::1", "[]", "exa\"mple", "a?b"] {
            assert!(!is_authority(bad), "{bad}");
        }
    }
}
