//! The identifier of a session.

use crate::tokens::Jti;
use std::fmt;
use uuid::Uuid;

/// A session's identifier, the claim `sid` of its tokens: a version 4 UUID, written as 32
/// lower-case hex digits (OpenID Connect Front-Channel Logout §3 has the claim; 122 random bits).
///
/// ```
/// use portcullis_domain::{sessions::SessionId, tokens::Jti};
/// let id = SessionId::from_random([0xab; 16]);
/// assert_eq!(id.to_string(), "abababababab4bababababababababab");
/// assert_eq!(SessionId::parse(&id.to_string()), Some(id));
/// assert_eq!(SessionId::parse("ABABABABABAB4BABABABABABABABABAB"), None);
/// assert_eq!(SessionId::adopted(Jti::from_random([0xab; 16])), id);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Makes an identifier from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The session of a token that was stored by a program which knows no sessions: it bears the
    /// token's identifier, so that nothing has to be looked up to name it.
    #[must_use]
    pub fn adopted(jti: Jti) -> Self {
        Self(jti.uuid())
    }

    /// Reads the 32 lower-case hex digits, and no other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Jti::parse(text).map(Self::adopted)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
