//! Recovery codes: each replaces the second factor once.

use sha2::{Digest, Sha256};
use std::fmt;

/// Number of recovery codes that an account gets at once.
pub const RECOVERY_CODE_COUNT: usize = 10;

/// Crockford's base32 digits. There is no I, L, O or U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Number of symbols, of 5 bits each.
const SYMBOLS: usize = 16;

/// Recovery code: 80 bits, written as 16 symbols of Crockford's base32 in groups of four. Redacted in
/// `Debug`.
///
/// ```
/// use portcullis_domain::mfa::RecoveryCode;
/// let code = RecoveryCode::from_random([0, 68, 50, 20, 199, 66, 84, 182, 53, 207]);
/// assert_eq!(code.expose(), "0123-4567-89AB-CDEF");
/// assert_eq!(RecoveryCode::parse("o123 4567-89abcdef"), Some(code));
/// assert_eq!(RecoveryCode::parse("0123-4567-89AB-CDE"), None);
/// assert_eq!(RecoveryCode::parse("0123-4567-89AB-CDEU"), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([u8; SYMBOLS]);

impl RecoveryCode {
    /// Creates a code from 10 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 10]) -> Self {
        let mut bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut symbols = [b'0'; SYMBOLS];
        for symbol in symbols.iter_mut().rev() {
            let digit = usize::try_from(bits & 31).ok().and_then(|value| DIGITS.get(value));
            *symbol = digit.copied().unwrap_or_default();
            bits >>= 5;
        }
        Self(symbols)
    }

    /// Parses a code, ignoring case, spaces and hyphens; I and L are read as 1, O as 0. Returns `None`
    /// unless 16 symbols remain.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut symbols = [0; SYMBOLS];
        let mut places = symbols.iter_mut();
        for typed in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let symbol = match typed.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            *places.next()? = Some(symbol).filter(|symbol| DIGITS.contains(symbol))?;
        }
        places.next().is_none().then_some(Self(symbols))
    }

    /// Returns the code as displayed to the owner: 16 symbols in groups of four.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut text = String::with_capacity(SYMBOLS + 3);
        for (index, symbol) in self.0.iter().enumerate() {
            if index > 0 && index.is_multiple_of(4) {
                text.push('-');
            }
            text.push(char::from(*symbol));
        }
        text
    }

    /// Returns the digest to store: SHA-256 of the 16 symbols in capitals, without hyphens. 80 random bits
    /// need no slow hash.
    #[must_use]
    pub fn digest(&self) -> RecoveryCodeDigest {
        RecoveryCodeDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Stored digest of a recovery code. The code cannot be recovered from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecoveryCodeDigest([u8; 32]);

impl RecoveryCodeDigest {
    /// Creates a digest from its stored bytes.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
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
    fn the_digest_is_of_the_canonical_text() {
        let code = RecoveryCode::parse("il0o-il0o-il0o-il0o").unwrap();
        assert_eq!(code.expose(), "1100-1100-1100-1100");
        assert_eq!(code.digest().as_bytes().as_slice(), Sha256::digest("1100110011001100").as_slice());
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
    }

    #[test]
    fn all_bits_are_in_the_text() {
        let texts = [[0; 10], [255; 10]].map(|bytes| RecoveryCode::from_random(bytes).expose());
        assert_eq!(texts, ["0000-0000-0000-0000", "ZZZZ-ZZZZ-ZZZZ-ZZZZ"]);
        for bit in 0..80 {
            let mut bytes = [0; 10];
            bytes[bit / 8] = 128_u8 >> (bit % 8);
            assert_eq!(RecoveryCode::from_random(bytes).expose().replace(['0', '-'], "").len(), 1, "{bit}");
        }
    }

    proptest! {
        #[test]
        fn a_code_is_read_however_it_is_typed(bytes: [u8; 10], gaps in proptest::collection::vec(0_usize..4, 16)) {
            let code = RecoveryCode::from_random(bytes);
            let symbols = code.expose().replace('-', "");
            let typed: String = symbols.chars().zip(gaps).map(|(symbol, gap)| match gap {
                0 => format!("{symbol} "),
                1 => format!("-{}", symbol.to_ascii_lowercase()),
                2 => symbol.to_string().replace('0', "o").replace('1', "L"),
                _ => symbol.to_string(),
            }).collect();
            prop_assert_eq!(RecoveryCode::parse(&typed), Some(code));
        }

        #[test]
        fn what_is_read_has_80_bits(text in "[0-9A-Za-z é-]{14,20}") {
            if let Some(code) = RecoveryCode::parse(&text) {
                prop_assert!(code.expose().bytes().all(|byte| byte == b'-' || DIGITS.contains(&byte)));
            }
        }
    }
}
