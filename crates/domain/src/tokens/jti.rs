//! The identifier of a token.

use std::fmt;
use uuid::Uuid;

/// A token's identifier: a version 4 UUID, written as 32 lower-case hex digits
/// (RFC 7519 §4.1.7; 122 random bits).
///
/// ```
/// use portcullis_domain::tokens::Jti;
/// let jti = Jti::from_random([0xab; 16]);
/// assert_eq!(jti.to_string(), "abababababab4bababababababababab");
/// assert_eq!(Jti::parse(&jti.to_string()), Some(jti));
/// assert_eq!(Jti::parse("ABABABABABAB4BABABABABABABABABAB"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jti(Uuid);

impl Jti {
    /// Makes an identifier from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads the 32 lower-case hex digits, and no other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if canonical { Uuid::try_parse(text).ok().map(Self) } else { None }
    }

    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
