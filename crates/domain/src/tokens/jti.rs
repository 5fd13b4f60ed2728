//! Token ids.

use std::fmt;
use std::str;
use uuid::Uuid;

/// Id of a token (RFC 7519 §4.1.7). New ids are version 4 UUIDs with 122 random bits, written as 32
/// lower-case hex digits. Ids of adopted tokens are opaque text in their original spelling.
///
/// ```
/// use portcullis_domain::tokens::Jti;
/// let jti = Jti::from_random([0xab; 16]);
/// assert_eq!(jti.as_str(), "abababababab4bababababababababab");
/// assert_eq!(Jti::parse(jti.as_str()), Some(jti));
/// assert!(Jti::parse("ABABABAB-ABAB-4BAB-ABAB-ABABABABABAB").is_some());
/// assert_eq!(Jti::parse("two\nlines"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jti {
    /// Padded with zeros, which sort before every character of a text.
    text: [u8; Jti::MAX_BYTES],
    length: u8,
}

impl Jti {
    /// Maximum length in bytes; fits a SHA-512 digest in hex. Bounded because the id is repeated in
    /// access tokens and in rate-limit keys.
    pub const MAX_BYTES: usize = 128;

    /// Creates an id from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self::copied(uuid.simple().encode_lower(&mut Uuid::encode_buffer()).as_bytes())
    }

    /// Parses an id. Returns `None` if it is empty, longer than [`MAX_BYTES`](Self::MAX_BYTES) bytes or
    /// contains a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        valid.then(|| Self::copied(text.as_bytes()))
    }

    /// Returns the text in its original spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }

    fn copied(bytes: &[u8]) -> Self {
        let (mut text, mut length) = ([0; Self::MAX_BYTES], 0);
        for (place, byte) in text.iter_mut().zip(bytes) {
            *place = *byte;
            length += 1;
        }
        Self { text, length }
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jti({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_of_a_column_is_an_identifier() {
        let longest = "x".repeat(128);
        for text in ["7", "01234567-89ab-cdef-0123-456789abcdef", "ABC", " a b ", "käse/🔑", "../..?a=b#c", &longest]
        {
            assert_eq!(Jti::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a\0", "a\nb", "\u{1b}[2J", "\u{85}", &"x".repeat(129), &"ä".repeat(65)] {
            assert_eq!(Jti::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn identifiers_sort_by_their_bytes() {
        let mut texts = ["b", "a", "ab", "a b", "ä", "B"];
        let mut identifiers = texts.map(|text| Jti::parse(text).unwrap());
        identifiers.sort_unstable();
        texts.sort_unstable();
        assert_eq!(identifiers.each_ref().map(Jti::as_str), texts);
    }
}
