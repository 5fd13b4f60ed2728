//! CSRF check for page forms: `Sec-Fetch-Site`, then `Origin` (OWASP's CSRF prevention cheat sheet).

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

const SITE: &str = "sec-fetch-site";

/// Who sent a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormSender {
    /// A page of this service.
    Own,
    /// The browser does not say. Pages with the policy `no-referrer` send `Origin: null` (Fetch standard §3.2).
    Unknown,
    /// A page of another site.
    Foreign,
}

impl FormSender {
    /// Reads the header fields of a request. Browsers send `Sec-Fetch-Site`; older ones, and all browsers if the
    /// service is reached without TLS, send only `Origin`.
    pub(crate) fn of(headers: &HeaderMap, public_origin: &str) -> Self {
        let only = |name: &str| {
            let mut values = headers.get_all(name).map(|value| value.to_str().unwrap_or_default());
            (values.next(), values.next().is_none())
        };
        let is_own = match (only(SITE), only(ORIGIN.as_str())) {
            // `none`: the user sent the form again with the browser's own controls.
            ((Some(site), single), _) => single && matches!(site, "same-origin" | "none"),
            ((None, _), (Some("null") | None, true)) => return Self::Unknown,
            ((None, _), (origin, single)) => origin.is_some_and(|origin| {
                single && (origin == public_origin || matches_host(origin, only(HOST.as_str()).0))
            }),
        };
        if is_own { Self::Own } else { Self::Foreign }
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

    fn sender(lines: &[(&str, &str)]) -> FormSender {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("id.example.org:8000"));
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        FormSender::of(&headers, "https://people.example.org")
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
            assert_eq!(sender(&foreign), FormSender::Foreign, "{foreign:?}");
        }
    }

    #[test]
    fn own_pages_and_programs_are_not() {
        for silent in [vec![], vec![("origin", "null")]] {
            assert_eq!(sender(&silent), FormSender::Unknown, "{silent:?}");
        }
        for mine in [
            vec![(SITE, "same-origin"), ("origin", "null")],
            vec![(SITE, "none")],
            vec![("origin", "http://id.example.org:8000")],
            vec![("origin", "https://ID.example.org:8000")],
            // A proxy may replace the client's `Host`.
            vec![("origin", "https://people.example.org")],
        ] {
            assert_eq!(sender(&mine), FormSender::Own, "{mine:?}");
        }
    }
}
