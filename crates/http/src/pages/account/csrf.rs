//! CSRF check for page forms: `Sec-Fetch-Site`, then `Origin` (OWASP's CSRF prevention cheat sheet).
//! Defense in depth: the token in the form authorizes the action, and other sites' pages cannot send
//! the device cookie.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

const SITE: &str = "sec-fetch-site";

/// Returns whether a page of this service sent the form. Browsers send `Sec-Fetch-Site`; older ones,
/// and all browsers if the service is reached without TLS, send only `Origin`. Pages with the policy
/// `no-referrer` send `Origin: null` (Fetch standard §3.2), which counts as missing.
pub(crate) fn is_same_origin(headers: &HeaderMap, public_origin: &str) -> bool {
    let only = |name: &str| {
        let mut values = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
        (values.next(), values.next().is_none())
    };
    match (only(SITE), only(ORIGIN.as_str())) {
        // `none`: the user sent the form again with the browser's own controls.
        ((Some(site), single), _) => single && matches!(site, "same-origin" | "none"),
        ((None, _), (Some("null") | None, single)) => single,
        ((None, _), (Some(origin), single)) => {
            single && (origin == public_origin || matches_host(origin, only(HOST.as_str()).0))
        }
    }
}

/// Returns whether an origin is the requested host. Ignores the scheme, since TLS may end at a proxy.
fn matches_host(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn own(lines: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("id.example.org:8000"));
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        is_same_origin(&headers, "https://people.example.org")
    }

    #[test]
    fn other_sites_are_refused() {
        for foreign in [
            vec![(SITE, "cross-site")],
            vec![(SITE, "same-site")],
            vec![(SITE, "same-origin"), (SITE, "cross-site")],
            vec![(SITE, "cross-site"), ("origin", "http://id.example.org:8000")],
            vec![("origin", "https://evil.example")],
            vec![("origin", "http://people.example.org")],
            vec![("origin", "https://people.example.org:8443")],
            vec![(SITE, "cross-site"), ("origin", "https://people.example.org")],
            vec![("origin", "http://id.example.org")],
            vec![("origin", "http://id.example.org:8000.evil.example")],
            vec![("origin", "null"), ("origin", "null")],
            vec![("origin", "")],
        ] {
            assert!(!own(&foreign), "{foreign:?}");
        }
    }

    #[test]
    fn own_pages_and_programs_are_not() {
        for mine in [
            vec![],
            vec![(SITE, "same-origin"), ("origin", "null")],
            vec![(SITE, "none")],
            vec![("origin", "null")],
            vec![("origin", "http://id.example.org:8000")],
            vec![("origin", "https://ID.example.org:8000")],
            // A proxy may replace the client's `Host`.
            vec![("origin", "https://people.example.org")],
        ] {
            assert!(own(&mine), "{mine:?}");
        }
    }
}
