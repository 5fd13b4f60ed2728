//! Whether a form was sent by a page of this service (OWASP's cross-site request forgery cheat
//! sheet, fetch metadata and origin). It is a second fence: what a form can do is authorised by
//! the token in it, and the cookie of a device is sent by no other site's page.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

const SITE: &str = "sec-fetch-site";

/// Browsers tell where a form comes from by `Sec-Fetch-Site`; those that do not, and every browser
/// where the service is reached without TLS, tell the page's origin. Pages of the policy
/// `no-referrer` send the origin `null` (Fetch standard, §3.2): it says nothing, like none at all.
pub(crate) fn is_same_origin(headers: &HeaderMap, public_origin: &str) -> bool {
    let only = |name: &str| {
        let mut values = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
        (values.next(), values.next().is_none())
    };
    match (only(SITE), only(ORIGIN.as_str())) {
        // `none`: the person sent it anew, from the browser's own controls.
        ((Some(site), single), _) => single && matches!(site, "same-origin" | "none"),
        ((None, _), (Some("null") | None, single)) => single,
        ((None, _), (Some(origin), single)) => {
            single && (origin == public_origin || matches_host(origin, only(HOST.as_str()).0))
        }
    }
}

/// Whether an origin is the host that was asked. The scheme does not count: TLS may end before the
/// service.
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
            // A proxy may send another `Host` than the caller's.
            vec![("origin", "https://people.example.org")],
        ] {
            assert!(own(&mine), "{mine:?}");
        }
    }
}
