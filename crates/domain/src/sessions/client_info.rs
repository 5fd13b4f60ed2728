//! Client information stored with sessions and events.

use crate::limits::Source;
use std::net::IpAddr;

/// Client of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// IP address, if known.
    pub ip_address: Option<IpAddr>,
    /// `User-Agent`, if the client sent one.
    pub user_agent: Option<UserAgent>,
}

impl ClientInfo {
    /// Returns whether two requests seem to come from one client: same source and same `User-Agent`.
    ///
    /// ```
    /// use portcullis_domain::sessions::ClientInfo;
    /// let from = |ip: &str| ip.parse().map(|ip| ClientInfo { ip_address: Some(ip), user_agent: None });
    /// assert!(from("2001:db8::1")?.is_similar_to(&from("2001:db8::2")?));
    /// assert!(!from("192.0.2.1")?.is_similar_to(&from("192.0.2.2")?));
    /// assert!(!from("192.0.2.1")?.is_similar_to(&ClientInfo::default()));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn is_similar_to(&self, other: &Self) -> bool {
        self.ip_address.map(Source::from_ip) == other.ip_address.map(Source::from_ip)
            && self.user_agent == other.user_agent
    }
}

/// `User-Agent` of a client: at most [`UserAgent::MAX_CHARS`] characters, no control characters. Chosen
/// by the client, so do not trust it.
///
/// ```
/// use portcullis_domain::sessions::UserAgent;
/// let agent = UserAgent::new("curl/8.0\r\n");
/// assert_eq!(agent.as_ref().map(UserAgent::as_str), Some("curl/8.0"));
/// assert_eq!(UserAgent::new(" "), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// Maximum length, in Unicode scalar values.
    pub const MAX_CHARS: usize = 255;

    /// Creates a user agent from the allowed characters of a text, truncated to the maximum length.
    /// Returns `None` if nothing is left. Also removes characters that reorder or break lines, because
    /// timelines are displayed.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let kept: String = text.chars().filter(|c| !is_disallowed(*c)).take(Self::MAX_CHARS).collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_disallowed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_kept_again_as_it_is(text: String) {
            if let Some(agent) = UserAgent::new(&text) {
                prop_assert!(agent.as_str().chars().count() <= UserAgent::MAX_CHARS);
                prop_assert!(!agent.as_str().chars().any(is_disallowed));
                prop_assert_eq!(UserAgent::new(agent.as_str()), Some(agent));
            }
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let agent = UserAgent::new(&"é".repeat(1000)).unwrap();
        assert_eq!(agent.as_str().chars().count(), UserAgent::MAX_CHARS);
    }
}
