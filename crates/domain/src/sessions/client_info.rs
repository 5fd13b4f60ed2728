//! Where a request comes from, as far as its session remembers it.

use crate::limits::Source;
use std::net::IpAddr;

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client's address, if it is known.
    pub ip_address: Option<IpAddr>,
    /// What the client calls itself, if it does.
    pub user_agent: Option<UserAgent>,
}

impl ClientInfo {
    /// Whether two requests look like one place: of one source, by clients that call themselves
    /// the same.
    ///
    /// ```
    /// use portcullis_domain::sessions::ClientInfo;
    /// let from = |address: &str| address.parse().map(|ip| ClientInfo { ip_address: Some(ip), user_agent: None });
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

/// What a client calls itself: at most [`UserAgent::MAX_CHARS`] characters, none of which is a
/// control character. Nobody checks whether it is true.
///
/// ```
/// use portcullis_domain::sessions::UserAgent;
/// assert_eq!(UserAgent::new("curl/8.0\r\n").map(|agent| agent.as_str().to_owned()), Some("curl/8.0".to_owned()));
/// assert_eq!(UserAgent::new(" "), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// The most characters (Unicode scalar values) that are kept.
    pub const MAX_CHARS: usize = 255;

    /// Takes what can be kept of a text; none where nothing can. Besides control characters,
    /// those that reorder or break lines go (a timeline is shown to people).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let kept: String = text.chars().filter(|c| !is_disallowed(*c)).take(Self::MAX_CHARS).collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// The text.
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
