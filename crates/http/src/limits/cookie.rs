//! The cookie by which a device is known (RFC 6265bis). What it says is left to the use case.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use portcullis_domain::limits::DeviceCookie;

const NAME: &str = "portcullis_device";

/// The value of the cookie, where exactly one was sent.
pub(crate) fn device_cookie(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Some(value.to_owned())
}

/// The field that leaves the cookie with a browser. It is for this service alone, out of the reach
/// of scripts, sent by no other site's page, and over TLS only where the caller came by TLS.
pub(crate) fn set_device_cookie(value: &str, secure: bool) -> Option<HeaderValue> {
    let age = DeviceCookie::LIFETIME.num_seconds();
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{NAME}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for text in cookies {
            headers.append(COOKIE, HeaderValue::from_str(text).unwrap());
        }
        device_cookie(&headers)
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
