//! URIs that people may be sent back to after a sign-in. Compared character by character, except the port of
//! a loopback address (RFC 9700 §4.1.3).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::net::Ipv6Addr;

/// Hosts that need no TLS and may have any port (RFC 8252 §7.3).
const LOOPBACK: [&str; 2] = ["127.0.0.1", "[::1]"];

/// Characters to encode in a query parameter: all but unreserved ones (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// URI that a client may be sent back to: https, http on a loopback address, or a private-use scheme of a
/// native app (RFC 8252 §7).
///
/// ```
/// use portcullis_domain::providers::{RedirectUri, RedirectUriError};
/// assert!(RedirectUri::parse("https://app.example.org/signed-in").is_ok());
/// assert!(RedirectUri::parse("com.example.app:/signed-in").is_ok());
/// assert_eq!(RedirectUri::parse("http://app.example.org/"), Err(RedirectUriError::PlainHttp));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    /// Loopback host, path and query, without the port.
    loopback: Option<(String, String)>,
}

/// Reason why a URI is not accepted. Never contains the URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriError {
    /// A character that no URI contains as it is.
    #[error("has a space, a control character or another character that must be percent-encoded")]
    Character,
    /// A fragment.
    #[error("has a fragment (#), which no redirect URI may have")]
    Fragment,
    /// A wildcard.
    #[error("has a wildcard (*): expected the exact URI")]
    Wildcard,
    /// Not a URI with a scheme in lower case.
    #[error("is not an absolute URI: expected https://host/path, http://127.0.0.1/path or com.example.app:/path")]
    Scheme,
    /// A private-use scheme that is not a domain name in reverse order (RFC 8252 §7.1).
    #[error("has a scheme without a dot: expected https or an app's scheme such as com.example.app:/path")]
    SchemeWithoutDot,
    /// A private-use scheme that is not followed by a slash.
    #[error("has no slash after the scheme: expected com.example.app:/path")]
    Path,
    /// User name or password.
    #[error("has a user name or password")]
    UserInfo,
    /// The name `localhost`, which may resolve to another machine (RFC 8252 §8.3).
    #[error("has the host localhost: expected 127.0.0.1 or [::1]")]
    Localhost,
    /// Plain http beyond loopback.
    #[error("uses http: expected https, or http on 127.0.0.1 or [::1]")]
    PlainHttp,
    /// Host or port is not valid.
    #[error("has an invalid host or port")]
    Authority,
}

impl RedirectUri {
    /// Parses a URI.
    ///
    /// # Errors
    /// Returns the broken rule.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        check_characters(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(RedirectUriError::Scheme)?;
        if !is_scheme(scheme) {
            return Err(RedirectUriError::Scheme);
        }
        let split = |rest: &'_ str| rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = rest.strip_prefix("//").map(|rest| rest.split_at(split(rest)));
        if authority.is_some_and(|(authority, _)| authority.contains('@')) {
            return Err(RedirectUriError::UserInfo);
        }
        let loopback = match (scheme, authority) {
            ("https" | "http", None) => return Err(RedirectUriError::Scheme),
            ("https", Some((authority, _))) => {
                check_host(host_of(authority)?)?;
                None
            }
            ("http", Some((authority, path))) => Some((loopback_host(authority)?.to_owned(), path.to_owned())),
            _ if !scheme.contains('.') => return Err(RedirectUriError::SchemeWithoutDot),
            _ if scheme.split('.').any(str::is_empty) => return Err(RedirectUriError::Scheme),
            _ if !rest.starts_with('/') => return Err(RedirectUriError::Path),
            _ => None,
        };
        Ok(Self { text: text.to_owned(), loopback })
    }

    /// Returns the URI as spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a requested URI is this one: the same characters, or the same loopback address with any
    /// port.
    fn matches(&self, requested: &Self) -> bool {
        self.text == requested.text || (self.loopback.is_some() && self.loopback == requested.loopback)
    }
}

/// URIs that clients may be sent back to. Empty by default.
///
/// ```
/// use portcullis_domain::providers::RedirectUris;
/// let uris = RedirectUris::parse("https://app.example.org/in, http://127.0.0.1/in")?;
/// assert!(uris.contains("https://app.example.org/in"));
/// assert!(!uris.contains("https://app.example.org/in/"));
/// assert!(uris.contains("http://127.0.0.1:49152/in"));
/// # Ok::<(), portcullis_domain::providers::RedirectUrisError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedirectUris(Vec<RedirectUri>);

/// Entry of a list that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {position} {reason}")]
pub struct RedirectUrisError {
    /// Position in the list, from 1.
    pub position: usize,
    /// Broken rule.
    pub reason: RedirectUriError,
}

impl RedirectUris {
    /// Parses a comma-separated list. Ignores white space around entries. A comma inside of a URI must be
    /// percent-encoded.
    ///
    /// # Errors
    /// Returns the first entry that is not accepted.
    pub fn parse(list: &str) -> Result<Self, RedirectUrisError> {
        let entry = |(position, text): (usize, &str)| {
            RedirectUri::parse(text.trim()).map_err(|reason| RedirectUrisError { position, reason })
        };
        (1..).zip(list.split(',')).map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a client may be sent back to this URI.
    #[must_use]
    pub fn contains(&self, requested: &str) -> bool {
        RedirectUri::parse(requested).is_ok_and(|requested| self.0.iter().any(|known| known.matches(&requested)))
    }

    /// Returns whether there is no URI.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Adds parameters to the query of a redirect URI, percent-encoded. Keeps the existing query (RFC 6749
/// §3.1.2).
///
/// ```
/// use portcullis_domain::providers::append_query;
/// let uri = append_query("https://app.example.org/in?a=b", &[("code", "1"), ("state", "x&y é")]);
/// assert_eq!(uri, "https://app.example.org/in?a=b&code=1&state=x%26y%20%C3%A9");
/// ```
#[must_use]
pub fn append_query(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut uri = redirect_uri.to_owned();
    for (name, value) in parameters {
        let separator = match uri.find('?') {
            None => "?",
            Some(_) if uri.ends_with(['?', '&']) => "",
            Some(_) => "&",
        };
        uri.push_str(separator);
        uri.extend(utf8_percent_encode(name, ENCODED));
        uri.push('=');
        uri.extend(utf8_percent_encode(value, ENCODED));
    }
    uri
}

/// Checks that all characters may be in a URI (RFC 3986 §2), and that none is refused here.
fn check_characters(text: &str) -> Result<(), RedirectUriError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()+,;=%".contains(&b);
    let percent = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    match text {
        _ if text.contains('#') => Err(RedirectUriError::Fragment),
        _ if text.contains('*') => Err(RedirectUriError::Wildcard),
        _ if text.bytes().all(allowed) && text.split('%').skip(1).all(percent) => Ok(()),
        _ => Err(RedirectUriError::Character),
    }
}

/// Returns whether a text is a scheme in lower case (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

/// Returns the host of an authority without user name, after a check of its port.
fn host_of(authority: &str) -> Result<&str, RedirectUriError> {
    let colon = authority.rfind(':').filter(|_| !authority.ends_with(']'));
    let Some((host, port)) = colon.and_then(|at| authority.split_at_checked(at)) else { return Ok(authority) };
    let digits = port.trim_start_matches(':');
    let is_number = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if is_number && digits.parse::<u16>().is_ok() { Ok(host) } else { Err(RedirectUriError::Authority) }
}

/// Checks a host: a name, an IPv4 address or an IPv6 address in brackets.
fn check_host(host: &str) -> Result<(), RedirectUriError> {
    let name = host.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name == "localhost" || name.ends_with(".localhost") {
        return Err(RedirectUriError::Localhost);
    }
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let valid = v6.map_or_else(|| name.split('.').all(label), |text| text.parse::<Ipv6Addr>().is_ok());
    if valid { Ok(()) } else { Err(RedirectUriError::Authority) }
}

/// Returns the loopback address of an http authority.
fn loopback_host(authority: &str) -> Result<&str, RedirectUriError> {
    let host = host_of(authority)?;
    check_host(host)?;
    if LOOPBACK.contains(&host) { Ok(host) } else { Err(RedirectUriError::PlainHttp) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RedirectUriError::*;
    use proptest::prelude::*;

    #[test]
    fn https_loopback_and_app_schemes_are_accepted() {
        for good in [
            "https://app.example.org",
            "https://app.example.org/in?a=b%20c&d",
            "https://app.example.org:8443/",
            "https://192.0.2.1/in",
            "https://[2001:db8::1]:8443/in",
            "http://127.0.0.1/in",
            "http://127.0.0.1:8000/in",
            "http://[::1]",
            "http://[::1]:8000/in?a=b",
            "com.example.app:/in",
            "com.example.app:/",
            "com.example.app://in/callback",
        ] {
            assert_eq!(RedirectUri::parse(good).map(|uri| uri.text), Ok(good.to_owned()));
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (bad, reason) in [
            ("", Scheme),
            ("app.example.org/in", Scheme),
            ("//app.example.org/in", Scheme),
            ("/in", Scheme),
            ("HTTPS://app.example.org/in", Scheme),
            ("https:/app.example.org/in", Scheme),
            ("https:app.example.org/in", Scheme),
            (" https://app.example.org/in", Character),
            ("https://app.example.org/a b", Character),
            ("https://app.example.org/in\n", Character),
            ("https://app.example.org/in\0", Character),
            ("https://app.example.org\\@evil.example/", Character),
            ("https://bücher.example/", Character),
            ("https://app.example.org/%2", Character),
            ("https://app.example.org/%zz", Character),
            ("https://app.example.org/<a>", Character),
            ("https://app.example.org/in#a", Fragment),
            ("https://app.example.org/in#", Fragment),
            ("https://*.example.org/in", Wildcard),
            ("https://app.example.org/*", Wildcard),
            ("https://ada@app.example.org/in", UserInfo),
            ("https://ada:pw@app.example.org/in", UserInfo),
            ("http://127.0.0.1@evil.example/in", UserInfo),
            ("com.example.app://ada@in", UserInfo),
            ("https://", Authority),
            ("https:///in", Authority),
            ("https://:443/in", Authority),
            ("https://app..example/in", Authority),
            ("https://app.example.org:/in", Authority),
            ("https://app.example.org:0/in", Authority),
            ("https://app.example.org:080/in", Authority),
            ("https://app.example.org:65536/in", Authority),
            ("https://app.example.org:1:2/in", Authority),
            ("https://app.example.org:+1/in", Authority),
            ("https://[::1/in", Authority),
            ("https://[app.example.org]/in", Authority),
            ("https://2001:db8::1/in", Authority),
            ("https://a%2eb.example/in", Authority),
            ("https://localhost/in", Localhost),
            ("http://localhost:3000/in", Localhost),
            ("http://LocalHost./in", Localhost),
            ("http://app.localhost/in", Localhost),
            ("http://app.example.org/in", PlainHttp),
            ("http://127.0.0.1.evil.example/in", PlainHttp),
            ("http://127.0.0.2/in", PlainHttp),
            ("http://127.1/in", PlainHttp),
            ("http://[0:0:0:0:0:0:0:1]/in", PlainHttp),
            ("http://[::]/in", PlainHttp),
            ("http://0.0.0.0/in", PlainHttp),
            ("myapp:/in", SchemeWithoutDot),
            ("javascript:alert(1)", SchemeWithoutDot),
            ("data:text/html,a", SchemeWithoutDot),
            ("com.example.app:in", Path),
            ("com..app:/in", Scheme),
            ("com.example.:/in", Scheme),
            (".com:/in", Scheme),
        ] {
            assert_eq!(RedirectUri::parse(bad).map(|uri| uri.text), Err(reason), "{bad:?}");
        }
    }

    #[test]
    fn only_ports_of_loopback_addresses_vary() {
        let uris = RedirectUris::parse(
            "https://app.example.org/in?a=b ,http://127.0.0.1:1/in,http://[::1]/in?a=b,com.example.app:/in",
        )
        .unwrap();
        for good in [
            "https://app.example.org/in?a=b",
            "http://127.0.0.1/in",
            "http://127.0.0.1:65535/in",
            "http://[::1]:8000/in?a=b",
            "com.example.app:/in",
        ] {
            assert!(uris.contains(good), "{good}");
        }
        for bad in [
            "https://app.example.org/in",
            "https://app.example.org/in?a=b&c",
            "https://app.example.org:443/in?a=b",
            "https://App.example.org/in?a=b",
            "https://app.example.org/in/../in?a=b",
            "http://127.0.0.1:1/in/",
            "http://127.0.0.1:1/in?a=b",
            "http://127.0.0.1:0/in",
            "http://127.0.0.1:1@evil.example/in",
            "http://127.0.0.1:1/in#",
            "http://[::1]/in",
            "https://127.0.0.1:1/in",
            "com.example.app:/in/x",
            "com.example.app://in",
            "",
        ] {
            assert!(!uris.contains(bad), "{bad}");
        }
        assert!(!RedirectUris::default().contains("https://app.example.org/"));
    }

    #[test]
    fn list_reports_the_entry_and_never_its_text() {
        let error = RedirectUris::parse("https://a.example/,https://ada:marker@a.example/").unwrap_err();
        assert_eq!(error.to_string(), "entry 2 has a user name or password");
        assert_eq!(RedirectUris::parse("https://a.example/,").unwrap_err().position, 2);
        assert_eq!(RedirectUris::parse("").unwrap_err().reason, Scheme);
    }

    #[test]
    fn parameters_follow_an_existing_query() {
        for (uri, appended) in [
            ("https://a.example", "https://a.example?code=1&state="),
            ("https://a.example/?", "https://a.example/?code=1&state="),
            ("https://a.example/?a=b&", "https://a.example/?a=b&code=1&state="),
            ("com.example.app:/in", "com.example.app:/in?code=1&state="),
        ] {
            assert_eq!(append_query(uri, &[("code", "1"), ("state", "")]), appended);
        }
        assert_eq!(append_query("https://a.example/", &[]), "https://a.example/");
    }

    proptest! {
        #[test]
        fn an_accepted_uri_is_plain(text in "(https?|com\\.a):/{0,3}[a-z0-9.@:\\[\\]#*%\\\\ \\PC]{0,30}") {
            if let Ok(uri) = RedirectUri::parse(&text) {
                prop_assert!(uri.as_str().bytes().all(|b| b.is_ascii_graphic()));
                prop_assert!(!uri.as_str().contains(['#', '*', '\\', '"', '<']));
                prop_assert_eq!(uri.loopback.is_some(), text.starts_with("http:"));
                prop_assert!(RedirectUris(vec![uri]).contains(&text));
            }
        }

        #[test]
        fn values_survive_their_encoding(value in "\\PC{0,20}") {
            let uri = append_query("https://a.example/?x", &[("state", &value)]);
            prop_assert!(RedirectUri::parse(&uri).is_ok());
            let encoded = uri.rsplit('=').next().unwrap();
            prop_assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), value);
        }
    }
}
