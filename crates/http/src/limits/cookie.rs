//! Cookie that identifies a known device (RFC 6265bis). The use case interprets its value.

use super::ClientAddress;
use crate::api::Api;
use crate::pages::account::FormSender;
use crate::tokens::cookie_value;
use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN};
use portcullis_domain::limits::DeviceCookie;

const NAME: &str = "portcullis_device";
const SITE: &str = "sec-fetch-site";

/// Returns the value of the device cookie. In cookie mode with TLS, prefers the one that no other host can set.
pub(crate) fn device_cookie(headers: &HeaderMap, api: &Api) -> Option<String> {
    let own = own_name(api).and_then(|name| cookie_value(headers, name));
    own.or_else(|| cookie_value(headers, NAME))
}

/// Returns the value of the device cookie that no other host can have set, where the service has one. Otherwise the
/// same as [`device_cookie`]. For calls in which the cookie proves who the browser is.
pub(crate) fn own_device_cookie(headers: &HeaderMap, api: &Api) -> Option<String> {
    cookie_value(headers, own_name(api).unwrap_or(NAME))
}

fn own_name(api: &Api) -> Option<&'static str> {
    api.config.cookies.as_ref()?.device_name()
}

/// Returns the `Set-Cookie` value: for this host only, hidden from scripts, not sent from other sites'
/// pages, and restricted to TLS if the client used TLS or `PUBLIC_URL` is https. `None` if another site's page sent the request:
/// that page could replace the user's cookie with one for the attacker's account (login CSRF).
pub(crate) fn set_device_cookie(
    request: &HttpRequest,
    api: &Api,
    client: &ClientAddress,
    value: &str,
) -> Option<HeaderValue> {
    let identity = &api.config;
    if is_foreign(request.headers(), &identity.cors_origins, &identity.public_origin) {
        return None;
    }
    let own = own_name(api);
    let cookie = Cookie::build(own.unwrap_or(NAME), value)
        .path("/")
        .max_age(Duration::seconds(DeviceCookie::LIFETIME.num_seconds()))
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(own.is_some() || client.tls || identity.public_origin.starts_with("https://"));
    HeaderValue::from_str(&cookie.finish().to_string()).ok()
}

/// Returns whether another site's page sent the request. Browsers omit `Sec-Fetch-Site` if the service
/// is reached without TLS; then `Origin` identifies the page of a form. Other bodies need CORS.
fn is_foreign(headers: &HeaderMap, listed: &[String], public_origin: &str) -> bool {
    let sites: Vec<_> = headers.get_all(SITE).filter_map(|value| value.to_str().ok()).collect();
    if sites.contains(&"cross-site") {
        return true;
    }
    if !is_form(headers) || sites.iter().any(|site| matches!(*site, "same-origin" | "none")) {
        return false;
    }
    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        None => false,
        // Sent by a sandboxed frame.
        Some("null") => true,
        Some(origin) => {
            !listed.iter().any(|one| one == origin) && FormSender::of(headers, public_origin) != FormSender::Own
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{COOKIE, HeaderName};

    fn read(cookies: &[&str]) -> Option<String> {
        read_bytes(&cookies.iter().map(|text| text.as_bytes()).collect::<Vec<_>>())
    }

    fn read_bytes(cookies: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for bytes in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(bytes).unwrap());
        }
        cookie_value(&headers, NAME)
    }

    #[test]
    fn cookies_of_neighbors_do_not_matter() {
        let ours = b"portcullis_device=x";
        let long = [b"big=".as_slice(), &[b'x'; 12_000]].concat();
        for neighbor in [
            "n\u{e4}me=w\u{e4}rt".as_bytes(),
            b"a=\xe9",
            b"=x; ;",
            b"flag",
            b"p=\"a;b\"; j={\"x\":[1,2]}",
            &long,
            b"a=1,\tb=2",
        ] {
            for cookies in [[neighbor, ours], [ours, neighbor]] {
                let told = String::from_utf8_lossy(neighbor);
                assert_eq!(read_bytes(&[&cookies.join(b"; ".as_slice())]).as_deref(), Some("x"), "{told}");
                assert_eq!(read_bytes(&cookies).as_deref(), Some("x"), "{told}");
            }
        }
        assert_eq!(read_bytes(&[b"portcullis_device=\xe9"]), None);
    }

    #[test]
    fn pages_of_other_sites_are_foreign() {
        const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let listed = ["https://app.example.org".to_owned()];
        let foreign = |lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", "id.example.org")].iter().chain(lines) {
                headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            is_foreign(&headers, &listed, "https://people.example.org")
        };
        for lines in [
            vec![(SITE, "cross-site")],
            vec![(SITE, "same-origin"), (SITE, "cross-site")],
            vec![(SITE, "cross-site"), ("origin", "https://app.example.org")],
            vec![FORM, (SITE, "cross-site"), ("origin", "https://id.example.org")],
            vec![FORM, (SITE, "same-site"), ("origin", "https://evil.example.org")],
            vec![FORM, ("origin", "https://evil.example")],
            vec![FORM, ("origin", "null")],
        ] {
            assert!(foreign(&lines), "{lines:?}");
        }
        for lines in [
            vec![],
            vec![FORM],
            vec![(SITE, "same-site"), ("origin", "https://app.example.org")],
            vec![("origin", "https://app.example.org")],
            vec![FORM, ("origin", "https://app.example.org")],
            vec![FORM, ("origin", "https://id.example.org")],
            vec![FORM, ("origin", "https://people.example.org")],
            vec![FORM, (SITE, "same-origin"), ("origin", "null")],
            vec![FORM, (SITE, "none")],
        ] {
            assert!(!foreign(&lines), "{lines:?}");
        }
    }

    #[test]
    fn one_cookie_of_the_name_is_taken_and_two_are_none() {
        assert_eq!(read(&["a=1; portcullis_device=x; b=2"]).as_deref(), Some("x"));
        assert_eq!(read(&["a=1", "portcullis_device=x"]).as_deref(), Some("x"));
        for none in [
            vec![],
            vec!["portcullis_devices=x"],
            vec!["portcullis_device"],
            vec!["portcullis_device=x; portcullis_device=y"],
        ] {
            assert_eq!(read(&none), None, "{none:?}");
        }
    }
}
