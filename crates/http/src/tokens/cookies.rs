//! Cookies that hold a browser's tokens, so that its scripts never see them (RFC 6265bis).

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use portcullis_domain::tokens::TokenLifetimes;

/// Cookies that hold tokens: their names and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCookies {
    names: [String; 2],
    device: Option<&'static str>,
    secure: bool,
    domain: Option<String>,
    lifetimes: TokenLifetimes,
}

/// Kind of a token in a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenCookie {
    Access,
    Refresh,
}

impl TokenCookies {
    /// Creates the cookies of a service whose pages are served over TLS if `secure`. With a `domain`, hosts
    /// below it receive the cookies too, and can replace them.
    #[must_use]
    pub fn new(secure: bool, domain: Option<String>, lifetimes: TokenLifetimes) -> Self {
        // Browsers accept the first prefix only from the host itself, the second one only over TLS.
        let prefix = match (secure, &domain) {
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
            (false, _) => "",
        };
        let names = ["access", "refresh"].map(|kind| format!("{prefix}portcullis_{kind}"));
        let device = secure.then_some("__Host-portcullis_device");
        Self { names, device, secure, domain, lifetimes }
    }

    /// Returns the name of the device cookie that no other host can set, if the service has TLS.
    pub(crate) fn device_name(&self) -> Option<&'static str> {
        self.device
    }

    /// Returns the token in a cookie of the request.
    pub(crate) fn read(&self, headers: &HeaderMap, kind: TokenCookie) -> Option<String> {
        cookie_value(headers, self.name(kind))
    }

    /// Returns the `Set-Cookie` value for a token. If `forget`, the browser drops the cookie when it closes.
    pub(crate) fn set(&self, kind: TokenCookie, token: &str, forget: bool) -> Option<HeaderValue> {
        let lifetime = match kind {
            TokenCookie::Access => self.lifetimes.access,
            TokenCookie::Refresh => self.lifetimes.refresh,
        };
        self.build(kind, token, (!forget).then(|| Duration::seconds(lifetime.num_seconds())))
    }

    /// Returns the `Set-Cookie` values that delete the tokens.
    pub(crate) fn clear(&self) -> Vec<HeaderValue> {
        let kinds = [TokenCookie::Access, TokenCookie::Refresh].into_iter();
        kinds.filter_map(|kind| self.build(kind, "", Some(Duration::ZERO))).collect()
    }

    fn name(&self, kind: TokenCookie) -> &str {
        let [access, refresh] = &self.names;
        match kind {
            TokenCookie::Access => access,
            TokenCookie::Refresh => refresh,
        }
    }

    fn build(&self, kind: TokenCookie, value: &str, max_age: Option<Duration>) -> Option<HeaderValue> {
        // Links from other sites must find the user logged in, but never refresh.
        let same_site = match kind {
            TokenCookie::Access => SameSite::Lax,
            TokenCookie::Refresh => SameSite::Strict,
        };
        let mut cookie = Cookie::new(self.name(kind), value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        cookie.set_same_site(same_site);
        cookie.set_max_age(max_age);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.as_str());
        }
        HeaderValue::from_str(&cookie.to_string()).ok()
    }
}

/// Returns the value of the cookie with exactly this name, or `None` if it was sent twice: another host may have set
/// the second one. Checks each pair separately, since other applications on the host may set cookies with
/// arbitrary bytes.
pub(crate) fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = pairs(headers).filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    str::from_utf8(value).ok().map(str::to_owned)
}

/// Returns the names of the cookies that begin with `prefix`.
pub(crate) fn cookie_names(headers: &HeaderMap, prefix: &str) -> impl Iterator<Item = String> {
    let names = pairs(headers).filter_map(|pair| pair.split(|byte| *byte == b'=').next());
    let names = names.filter_map(|name| str::from_utf8(name).ok());
    names.filter(move |name| name.starts_with(prefix)).map(str::to_owned)
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let fields = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
    fields.flat_map(|field| field.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(secure: bool, domain: Option<&str>, kind: TokenCookie, forget: bool) -> String {
        let cookies = TokenCookies::new(secure, domain.map(str::to_owned), TokenLifetimes::default());
        cookies.set(kind, "x.y.z", forget).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn attributes_follow_the_service_and_the_kind() {
        for (secure, domain, kind, forget, expected) in [
            (
                true,
                None,
                TokenCookie::Access,
                false,
                "__Host-portcullis_access=x.y.z; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900",
            ),
            (
                true,
                None,
                TokenCookie::Refresh,
                false,
                "__Host-portcullis_refresh=x.y.z; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=604800",
            ),
            (
                true,
                Some("example.org"),
                TokenCookie::Access,
                true,
                "__Secure-portcullis_access=x.y.z; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.org",
            ),
            (false, None, TokenCookie::Refresh, true, "portcullis_refresh=x.y.z; HttpOnly; SameSite=Strict; Path=/"),
        ] {
            assert_eq!(set(secure, domain, kind, forget), expected);
        }
    }

    #[test]
    fn deleted_cookies_have_the_same_attributes() {
        let cookies = TokenCookies::new(true, Some("example.org".to_owned()), TokenLifetimes::default());
        let [access, refresh] = cookies.clear().try_into().unwrap();
        let expected =
            "__Secure-portcullis_access=; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.org; Max-Age=0";
        assert_eq!(access, expected);
        assert!(refresh.to_str().unwrap().starts_with("__Secure-portcullis_refresh=; HttpOnly; SameSite=Strict"));
    }
}
