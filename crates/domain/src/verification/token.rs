//! The token as the mail has it, what it is made from, and what is kept of it.

use crate::hex::{bytes, hex};
use std::fmt;

/// The random bytes that one token is made from: 256 bits. They are stored beside the mail that
/// will bear the token, and are of no use without the service's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenSeed([u8; 32]);

impl TokenSeed {
    /// The seed made of random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is authenticated to make the token: its code is the token's bytes.
    #[must_use]
    pub fn mac_input(&self) -> Vec<u8> {
        [b"one-time/".as_slice(), &self.0].concat()
    }
}

impl fmt::Debug for TokenSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// A one-time token: 256 bits, as 64 lower-case hex digits. Redacted in `Debug`.
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
    /// The token that has these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the 64 lower-case hex digits, and no other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { bytes(text).map(Self) }
    }

    /// The text, for whoever mails it.
    #[must_use]
    pub fn expose(&self) -> String {
        hex(&self.0)
    }

    /// What is authenticated to find the token: its code is the [`TokenDigest`].
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

/// What is kept of a token: nobody gets from it to the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Takes a code of [`OneTimeToken::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// The bytes, for a store.
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
        assert_eq!(format!("{:?}", TokenSeed::from_random([7; 32])), "Seed(…)");
    }

    #[test]
    fn a_seed_and_a_token_of_the_same_bytes_are_told_apart() {
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
