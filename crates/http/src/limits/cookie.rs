//! The cookie by which a device is known (RFC 6265bis). What it says is left to the use case.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use portcullis_domain::limits::DeviceCookie;

const NAME: &str = "portcullis_device";

/// The value of the cookie, where exactly one was sent. Other applications of the same host set
/// cookies of any bytes: each pair is judged alone.
pub(crate) fn device_cookie(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
    let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let mut values = pairs.filter_map(|pair| pair.strip_prefix(NAME.as_bytes())?.strip_prefix(b"="));
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    str::from_utf8(value).ok().map(str::to_owned)
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
        read_bytes(&cookies.iter().map(|text| text.as_bytes()).collect::<Vec<_>>())
    }

    fn read_bytes(cookies: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for bytes in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(bytes).unwrap());
        }
        device_cookie(&headers)
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
