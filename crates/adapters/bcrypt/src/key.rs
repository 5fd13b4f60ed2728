//! bcrypt keys derived from passwords: at most 72 bytes, wiped when dropped.

use crate::stored::Salt;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Number of key bytes that bcrypt reads.
const SIZE: usize = 72;

/// bcrypt key.
pub(crate) struct Key {
    bytes: Zeroizing<[u8; SIZE]>,
    used: usize,
}

impl Key {
    /// Longest password, in bytes, that a plain hash covers completely. The key is the password and a
    /// terminating NUL, and bcrypt reads 72 bytes of it.
    pub(crate) const LONGEST_PLAIN: usize = SIZE - 1;

    /// Creates a key from the password itself, truncated to 72 bytes.
    pub(crate) fn plain(password: &str) -> Self {
        let mut bytes = Zeroizing::new([0; SIZE]);
        for (to, from) in bytes.iter_mut().zip(password.bytes()) {
            *to = from;
        }
        Self { bytes, used: SIZE.min(password.len() + 1) }
    }

    /// Creates a key by passlib's first pre-hash: base64 of the password's SHA-256. The raw digest may
    /// contain NULs, which would shorten the key.
    pub(crate) fn sha256(password: &str) -> Self {
        let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)));
        Self::encoded(&digest)
    }

    /// Creates a key by passlib's second pre-hash: an HMAC keyed by the salt's text. Leaked SHA-256
    /// digests cannot be tested against it (password shucking).
    pub(crate) fn hmac(password: &str, salt: &Salt) -> Self {
        // RFC 2104 §2: a key shorter than a block is padded with zeros.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(salt.encoded().bytes()) {
            *to = from;
        }
        let mac = Hmac::<Sha256>::new(&block.into()).chain_update(password).finalize();
        let digest = Zeroizing::new(<[u8; 32]>::from(mac.into_bytes()));
        Self::encoded(&digest)
    }

    fn encoded(digest: &[u8; 32]) -> Self {
        let text = Zeroizing::new(STANDARD.encode(digest));
        Self::plain(&text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(self.bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_key_ends_in_its_terminator_while_there_is_room() {
        assert_eq!(Key::plain("").as_bytes(), b"\0");
        assert_eq!(Key::plain("abc").as_bytes(), b"abc\0");
        assert_eq!(Key::plain(&"x".repeat(71)).as_bytes().last(), Some(&0));
        for length in [72, 73, 500] {
            assert_eq!(Key::plain(&"x".repeat(length)).as_bytes(), [b'x'; 72]);
        }
    }

    #[test]
    fn a_pre_hash_is_base64_and_a_terminator() {
        // SHA-256 of "abc": first example of FIPS 180-4.
        assert_eq!(Key::sha256("abc").as_bytes(), b"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\0");
        assert_eq!(Key::hmac("abc", &Salt([1; 16])).as_bytes().len(), 45);
        assert_ne!(Key::hmac("abc", &Salt([1; 16])).as_bytes(), Key::hmac("abc", &Salt([2; 16])).as_bytes());
    }
}
