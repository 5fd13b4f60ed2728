//! The one-time token sent by email, its seed, and the digest that is stored.

use hex::FromHex;
use std::fmt;

/// Random 256 bits that a token is derived from. Stored with the queued email, and useless without the
/// service's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenSeed([u8; 32]);

impl TokenSeed {
    /// Creates a seed from 32 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the MAC input that the token is derived from. The MAC is the token.
    #[must_use]
    pub fn mac_input(&self) -> Vec<u8> {
        [b"one-time/".as_slice(), &self.0].concat()
    }
}

impl fmt::Debug for TokenSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSeed(…)")
    }
}

/// One-time token: 256 bits, written as 64 lower-case hex digits. Redacted in `Debug`.
///
/// ```
/// use portcullis_domain::verification::OneTimeToken;
/// let token = OneTimeToken::new([0xab; 32]);
/// assert_eq!(OneTimeToken::parse(&token.expose()), Some(token));
/// assert_eq!(OneTimeToken::parse(&"AB".repeat(32)), None);
/// assert_eq!(OneTimeToken::parse(&"ab".repeat(31)), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeToken([u8; 32]);

impl OneTimeToken {
    /// Creates a token from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { FromHex::from_hex(text).ok().map(Self) }
    }

    /// Returns the text, to be sent by email.
    #[must_use]
    pub fn expose(&self) -> String {
        hex::encode(self.0)
    }

    /// Returns the MAC input of the [`TokenDigest`].
    #[must_use]
    pub fn mac_input(&self) -> Vec<u8> {
        [b"one-time-digest/".as_slice(), &self.0].concat()
    }
}

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeToken(…)")
    }
}

/// Stored digest of a token. The token cannot be recovered from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Creates a digest from the MAC of [`OneTimeToken::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_of_a_token_shows() {
        assert_eq!(format!("{:?}", OneTimeToken::new([7; 32])), "OneTimeToken(…)");
        assert_eq!(format!("{:?}", TokenSeed::from_random([7; 32])), "TokenSeed(…)");
    }

    #[test]
    fn seed_and_token_of_equal_bytes_have_different_mac_inputs() {
        assert_ne!(TokenSeed::from_random([7; 32]).mac_input(), OneTimeToken::new([7; 32]).mac_input());
    }

    proptest! {
        #[test]
        fn one_token_has_one_spelling(text in "[0-9a-fA-F é+]{60,68}") {
            if let Some(token) = OneTimeToken::parse(&text) {
                prop_assert_eq!(token.expose(), text);
            }
        }
    }
}
