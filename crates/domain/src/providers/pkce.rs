//! Proof Key for Code Exchange, method S256 (RFC 7636): only the client that began a flow can use its code.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// `code_challenge` of method S256: the SHA-256 digest of the verifier.
///
/// ```
/// use portcullis_domain::providers::CodeChallenge;
/// let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
/// let fits = |verifier| challenge.is_some_and(|challenge| challenge.verify(verifier));
/// assert!(fits("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// assert!(!fits("ABjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Value of `code_challenge_method`. There is no other.
    pub const METHOD: &'static str = "S256";

    /// Creates a challenge from its stored bytes.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Parses the 43 characters of base64url without padding. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns whether a client's `code_verifier` matches: 43 to 128 unreserved characters (RFC 7636 §4.1,
    /// §4.6).
    #[must_use]
    pub fn verify(&self, code_verifier: &str) -> bool {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        (43..=128).contains(&code_verifier.len())
            && code_verifier.bytes().all(unreserved)
            && Self::of(code_verifier) == *self
    }

    fn of(verifier: &str) -> Self {
        Self(Sha256::digest(verifier).into())
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// `code_verifier` of this service towards a provider. Redacted in `Debug`.
///
/// ```
/// use portcullis_domain::providers::CodeVerifier;
/// let verifier = CodeVerifier::from_random([7; 32]);
/// assert!(verifier.challenge().verify(verifier.expose()));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CodeVerifier(String);

impl CodeVerifier {
    /// Creates a verifier of 43 characters from 32 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&bytes))
    }

    /// Returns the text, for the token request.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the challenge, for the authorization request.
    #[must_use]
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge::of(&self.0)
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_canonical_base64url_of_32_bytes_is_a_challenge() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(CodeChallenge::parse(good).is_some());
        let last_bits = format!("{}N", &good[..42]);
        let padded = format!("{good}=");
        for bad in ["", &good[..42], &format!("{good}A"), &padded, &last_bits, &good.replace('-', "+"), " "] {
            assert_eq!(CodeChallenge::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn verifiers_have_43_to_128_unreserved_characters() {
        for (verifier, valid) in [
            ("a".repeat(43), true),
            ("-._~".repeat(32), true),
            ("a".repeat(42), false),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{} ", "a".repeat(43)), false),
            (format!("{}é", "a".repeat(43)), false),
        ] {
            assert_eq!(CodeChallenge::of(&verifier).verify(&verifier), valid, "{verifier:?}");
        }
    }

    #[test]
    fn debug_shows_no_verifier() {
        assert_eq!(format!("{:?}", CodeVerifier::from_random([0; 32])), "CodeVerifier(…)");
    }

    proptest! {
        #[test]
        fn only_its_own_verifier_fits(one: [u8; 32], other: [u8; 32]) {
            let [verifier, foreign] = [one, other].map(CodeVerifier::from_random);
            let challenge = CodeChallenge::parse(&verifier.challenge().to_string()).unwrap();
            prop_assert!(challenge.verify(verifier.expose()));
            prop_assert_eq!(challenge.verify(foreign.expose()), one == other);
        }
    }
}
