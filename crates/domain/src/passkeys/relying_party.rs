//! The service towards browsers: its RP ID and the origins of its pages and apps.

use super::origin::{OriginError, WebOrigin, check_app, is_host_name};

/// Relying party (WebAuthn §4): whose passkeys are accepted, and from which pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// RP ID: a host name.
    pub id: String,
    /// Allowed origins: `https://…` (or http on `localhost`) and `android:apk-key-hash:…`, compared exactly.
    pub origins: Vec<String>,
}

/// Reason why a relying party is not accepted. Positions count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelyingPartyError {
    /// The RP ID is not a host name.
    #[error(
        "is not a host name: expected a name in lower case such as example.org, not an IP address, \
         without scheme, port and path"
    )]
    Id,
    /// No origin is allowed.
    #[error("is empty: expected at least one origin")]
    NoOrigin,
    /// An allowed origin is not accepted.
    #[error("entry {0} {1}")]
    Origin(usize, OriginError),
    /// A related origin is not accepted.
    #[error("entry {0} {1}")]
    RelatedOrigin(usize, OriginError),
}

impl RelyingParty {
    /// Creates a relying party from its RP ID, the origins that may use its passkeys, and its related origins
    /// (WebAuthn §5.11). A browser lets a page use passkeys of an RP ID only if the page's host is the RP ID
    /// or below it, or if its origin is related. Apps are bound to the RP ID by the platform.
    ///
    /// # Errors
    /// Returns the first fault: of the RP ID, of the related origins, of the allowed origins.
    ///
    /// ```
    /// use portcullis_domain::passkeys::{OriginError, RelyingParty, RelyingPartyError};
    /// let new = |origin: &str, related: &[&str]| {
    ///     let related: Vec<_> = related.iter().map(ToString::to_string).collect();
    ///     RelyingParty::new("example.org".to_owned(), vec![origin.to_owned()], &related).map(|_| ())
    /// };
    /// assert_eq!(new("https://login.example.org:8443", &[]), Ok(()));
    /// assert_eq!(new("https://example.net", &["https://example.net"]), Ok(()));
    /// let foreign = new("https://example.net", &[]);
    /// assert_eq!(foreign, Err(RelyingPartyError::Origin(1, OriginError::Foreign)));
    /// ```
    pub fn new(id: String, origins: Vec<String>, related: &[String]) -> Result<Self, RelyingPartyError> {
        if !is_host_name(&id) {
            return Err(RelyingPartyError::Id);
        }
        if origins.is_empty() {
            return Err(RelyingPartyError::NoOrigin);
        }
        for (position, origin) in (1..).zip(related) {
            WebOrigin::parse(origin).map_err(|reason| RelyingPartyError::RelatedOrigin(position, reason))?;
        }
        for (position, origin) in (1..).zip(&origins) {
            check(origin, &id, related).map_err(|reason| RelyingPartyError::Origin(position, reason))?;
        }
        Ok(Self { id, origins })
    }
}

fn check(origin: &str, id: &str, related: &[String]) -> Result<(), OriginError> {
    if let Some(app) = origin.strip_prefix("android:") {
        return check_app(app);
    }
    let allowed = WebOrigin::parse(origin)?.is_within(id) || related.iter().any(|related| related == origin);
    if allowed { Ok(()) } else { Err(OriginError::Foreign) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OriginError::{AppHash, DefaultPort, Foreign, Host, PlainHttp, Port, Suffix};

    const APP: &str = "android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn new(id: &str, origins: &[&str], related: &[&str]) -> Result<RelyingParty, RelyingPartyError> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        RelyingParty::new(id.to_owned(), owned(origins), &owned(related))
    }

    #[test]
    fn rp_id_is_a_host_name() {
        for good in ["example.org", "localhost", "a", "xn--bcher-kva.example", "id_2.a-b.example", "1.example"] {
            let party = new(good, &[&format!("https://{good}")], &[]);
            assert_eq!(party.map(|party| party.id), Ok(good.to_owned()));
        }
        let (label, name) = ("a".repeat(64), "a.".repeat(127));
        for bad in [
            "",
            ".",
            "example.org.",
            ".example.org",
            "a..b",
            "Example.org",
            "https://example.org",
            "example.org:443",
            "example.org/",
            "ada@example.org",
            "*.example.org",
            "b\u{fc}cher.example",
            "a b",
            "192.0.2.1",
            "[::1]",
            "::1",
            "127.1",
            "1",
            "0x7f.0x1",
            "a.0x",
            "a.1",
            &label,
            &name,
        ] {
            assert_eq!(new(bad, &["https://example.org"], &[]), Err(RelyingPartyError::Id), "{bad:?}");
        }
    }

    #[test]
    fn origins_are_spelled_as_browsers_spell_them() {
        let related = "https://example.net:8443";
        for good in ["https://example.org", "https://a.b.example.org", "https://example.org:8443", related, APP] {
            assert!(new("example.org", &["https://example.org", good], &[related]).is_ok(), "{good}");
        }
        for good in ["http://localhost", "http://localhost:8000", "https://localhost", "http://app.localhost:1"] {
            assert!(new("localhost", &[good], &[]).is_ok(), "{good}");
        }
        for (bad, reason) in [
            ("", OriginError::Scheme),
            ("example.org", OriginError::Scheme),
            ("HTTPS://example.org", OriginError::Scheme),
            ("ftp://example.org", OriginError::Scheme),
            ("ios:bundle-id:org.example", OriginError::Scheme),
            ("https://", Host),
            ("https://Example.org", Host),
            ("https://example.org.", Host),
            ("https://192.0.2.1", Host),
            ("https://[2001:db8::1]", Host),
            ("https://ada@example.org", Host),
            ("https://*.example.org", Host),
            ("https://b\u{fc}cher.example", Host),
            ("https://example.org/", Suffix),
            ("https://example.org/in", Suffix),
            ("https://example.org?a", Suffix),
            ("https://example.org#a", Suffix),
            ("https://example.org:", Port),
            ("https://example.org:0", Port),
            ("https://example.org:08443", Port),
            ("https://example.org:65536", Port),
            ("https://example.org:+1", Port),
            ("https://example.org:443", DefaultPort),
            ("http://localhost:80", DefaultPort),
            ("http://example.org", PlainHttp),
            ("http://localhost.example.org", PlainHttp),
            ("http://127.0.0.1:8000", Host),
            ("https://example.net", Foreign),
            ("https://example.org.evil.example", Foreign),
            ("https://evilexample.org", Foreign),
            ("https://org", Foreign),
            ("http://localhost", Foreign),
            ("android:apk-key-hash:", AppHash),
            ("android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", AppHash),
            ("android:apk-key-hash:A4:D8:8F:E6", AppHash),
            ("android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAA", AppHash),
            ("android:other", AppHash),
        ] {
            let fault = RelyingPartyError::Origin(2, reason);
            assert_eq!(new("example.org", &["https://example.org", bad], &[]), Err(fault), "{bad:?}");
        }
        assert_eq!(new("example.org", &[], &[]), Err(RelyingPartyError::NoOrigin));
    }

    #[test]
    fn related_origins_are_web_origins_and_match_exactly() {
        for (related, reason) in
            [("https://example.net/", Suffix), ("example.net", OriginError::Scheme), (APP, OriginError::Scheme)]
        {
            let party = new("example.org", &["https://example.org"], &["https://a.example", related]);
            assert_eq!(party, Err(RelyingPartyError::RelatedOrigin(2, reason)));
        }
        for other in ["https://a.example.net", "https://example.net:1", "https://example"] {
            let party = new("example.org", &[other], &["https://example.net"]);
            assert_eq!(party, Err(RelyingPartyError::Origin(1, Foreign)), "{other}");
        }
    }

    #[test]
    fn errors_follow_the_name_of_a_setting() {
        let error = new("example.org", &["https://example.org", "https://example.net"], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "entry 2 is foreign to the RP ID: expected it, a host below it, or a related origin"
        );
    }
}
