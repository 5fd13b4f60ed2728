//! Session ids.

use crate::tokens::Jti;
use std::fmt;
use uuid::Uuid;

/// Namespace for ids of sessions of adopted tokens.
const ADOPTED: Uuid = Uuid::from_bytes(*b"portcullis:token");

/// Id of a session and claim `sid` of its tokens (OpenID Connect Front-Channel Logout §3): a version 4
/// UUID with 122 random bits, written as 32 lower-case hex digits.
///
/// ```
/// use portcullis_domain::{sessions::SessionId, tokens::Jti};
/// let id = SessionId::from_random([0xab; 16]);
/// assert_eq!(id.to_string(), "abababababab4bababababababababab");
/// assert_eq!(SessionId::parse(&id.to_string()), Some(id));
/// assert_eq!(SessionId::parse("ABABABABABAB4BABABABABABABABABAB"), None);
/// assert_eq!(SessionId::for_legacy_token(Jti::from_random([0xab; 16])), id);
/// let hyphenated = Jti::parse("abababab-abab-4bab-abab-abababababab").map(SessionId::for_legacy_token);
/// assert!(hyphenated.is_some() && hyphenated != Some(id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Creates an id from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Returns the session id of an adopted token, which was issued by an application without sessions.
    /// It is derived from the token's id, so no lookup is needed: the same id if it is spelled like a
    /// session id, otherwise the name-based UUID of its text (RFC 9562 §5.5).
    #[must_use]
    pub fn for_legacy_token(jti: Jti) -> Self {
        let named = || Self(Uuid::new_v5(&ADOPTED, jti.as_str().as_bytes()));
        Self::parse(jti.as_str()).unwrap_or_else(named)
    }

    /// Parses 32 lower-case hex digits. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if canonical { Uuid::try_parse(text).ok().map(Self) } else { None }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
