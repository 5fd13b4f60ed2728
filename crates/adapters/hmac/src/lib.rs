//! HMAC-SHA256 (RFC 2104) with keys derived from the service's secret, one per purpose. A MAC for one
//! purpose is not valid for another purpose, nor as a token.

use hmac::{Hmac, KeyInit, Mac};
use portcullis_ports::{MacSigner, signers};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Computes and verifies MACs with a derived key. Previous keys only verify.
pub struct HmacSigner {
    key: Hmac<Sha256>,
    previous: Option<Box<Self>>,
}

impl HmacSigner {
    /// Derives the key for a purpose from a secret of any length: HMAC as the extractor, with the
    /// purpose as the salt (RFC 5869 §2.2). Keys of different purposes are unrelated.
    ///
    /// ```
    /// use portcullis_hmac::HmacSigner;
    /// use portcullis_ports::MacSigner;
    /// let limits = HmacSigner::derive(&[7; 32], "limits");
    /// let code = limits.sign(b"message");
    /// assert!(limits.verify(b"message", &code) && !limits.verify(b"massage", &code));
    /// ```
    #[must_use]
    pub fn derive(secret: &[u8], purpose: &str) -> Self {
        Self { key: keyed(&code(keyed(purpose.as_bytes()), secret)), previous: None }
    }

    /// Also verifies what another signer verifies: one with the previous secret and the same purpose.
    ///
    /// ```
    /// use portcullis_hmac::HmacSigner;
    /// use portcullis_ports::MacSigner;
    /// let old = HmacSigner::derive(&[7; 32], "limits");
    /// let code = old.sign(b"message");
    /// let new = HmacSigner::derive(&[8; 32], "limits").with_previous(old);
    /// assert!(new.verify(b"message", &code) && new.sign(b"message") != code);
    /// ```
    #[must_use]
    pub fn with_previous(self, previous: Self) -> Self {
        Self { previous: Some(Box::new(previous)), ..self }
    }
}

impl MacSigner for HmacSigner {
    fn sign(&self, message: &[u8]) -> [u8; 32] {
        code(self.key.clone(), message)
    }

    fn verify(&self, message: &[u8], code: &[u8; 32]) -> bool {
        signers(self).any(|signer| signer.sign(message).ct_eq(code).into())
    }

    fn previous(&self) -> Option<&dyn MacSigner> {
        self.previous.as_deref().map(|previous| -> &dyn MacSigner { previous })
    }
}

/// Hides the key.
impl fmt::Debug for HmacSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSigner")
    }
}

/// Creates an HMAC from a key of any length. Shorter keys are padded with zeros to one block, longer
/// ones are hashed first (RFC 2104 §2).
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    let hashed = Sha256::digest(key);
    let key = if key.len() > block.len() { hashed.as_slice() } else { key };
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    Hmac::new(&block.into())
}

fn code(mut hmac: Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    hmac.update(message);
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pseudo-random key of RFC 5869, appendix A.1, equals the derived key.
    #[test]
    fn the_key_is_the_one_of_rfc_5869() {
        let salt: String = (0..=0x0c).map(char::from).collect();
        let prk = code(keyed(salt.as_bytes()), &[0x0b; 22]);
        assert_eq!(hex::encode(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let derived = HmacSigner::derive(&[0x0b; 22], &salt);
        assert_eq!(derived.sign(b"x"), code(keyed(&prk), b"x"));
    }

    #[test]
    fn purposes_and_secrets_have_keys_of_their_own() {
        let code = |secret: &[u8], purpose| HmacSigner::derive(secret, purpose).sign(b"message");
        assert_ne!(code(b"secret", "one"), code(b"secret", "two"));
        assert_ne!(code(b"secret", "one"), code(b"Secret", "one"));
    }

    #[test]
    fn previous_keys_verify_and_sign_nothing() {
        let signer = |secret: &[u8]| HmacSigner::derive(secret, "one");
        let [oldest, old, new] = [&b"oldest"[..], b"old", b"new"].map(|secret| signer(secret).sign(b"message"));
        let both = signer(b"new").with_previous(signer(b"old").with_previous(signer(b"oldest")));
        assert_eq!(both.sign(b"message"), new);
        assert!([oldest, old, new].iter().all(|code| both.verify(b"message", code)));
        assert!(!both.verify(b"message", &signer(b"other").sign(b"message")));
        let all: Vec<_> = signers(&both).map(|signer| signer.sign(b"message")).collect();
        assert_eq!(all, [new, old, oldest]);
    }

    #[test]
    fn a_key_of_any_length_is_the_librarys() {
        for length in [0, 1, 63, 64, 65, 200] {
            let key = vec![7; length];
            let mut library = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            library.update(b"message");
            assert_eq!(code(keyed(&key), b"message"), <[u8; 32]>::from(library.finalize().into_bytes()), "{length}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", HmacSigner::derive(b"marker", "marker"));
        assert_eq!(shown, "HmacSigner");
    }
}
