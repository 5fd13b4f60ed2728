//! The identifier of a session.

use crate::tokens::Jti;
use std::fmt;
use uuid::Uuid;

/// Namespace of the sessions of adopted tokens.
const ADOPTED: Uuid = Uuid::from_bytes(*b"portcullis:token");

/// A session's identifier, the claim `sid` of its tokens: a version 4 UUID, written as 32
/// lower-case hex digits (OpenID Connect Front-Channel Logout §3 has the claim; 122 random bits).
///
/// ```
/// use portcullis_domain::{sessions::SessionId, tokens::Jti};
/// let id = SessionId::from_random([0xab; 16]);
/// assert_eq!(id.to_string(), "abababababab4bababababababababab");
/// assert_eq!(SessionId::parse(&id.to_string()), Some(id));
/// assert_eq!(SessionId::parse("ABABABABABAB4BABABABABABABABABAB"), None);
/// assert_eq!(SessionId::for_legacy_token(Jti::from_random([0xab; 16])), id);
/// let hyphenated = Jti::parse("abababab-abab-4bab-abab-abababababab").map(SessionId::adopted);
/// assert!(hyphenated.is_some() && hyphenated != Some(id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Makes an identifier from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Returns the session of a token that was stored by a program without sessions. It is derived
    /// from the token's identifier, so that no lookup is needed: the identifier itself if it is
    /// spelled like a session's, otherwise the name-based UUID of its text (RFC 9562 §5.5).
    #[must_use]
    pub fn for_legacy_token(jti: Jti) -> Self {
        let named = || Self(Uuid::new_v5(&ADOPTED, jti.as_str().as_bytes()));
        Self::parse(jti.as_str()).unwrap_or_else(named)
    }

    /// Reads the 32 lower-case hex digits, and no other spelling.
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
