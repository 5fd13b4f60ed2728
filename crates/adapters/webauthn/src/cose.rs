//! Public keys (COSE_Key, RFC 9052 §7).

use crate::cbor::Map;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use portcullis_domain::passkeys::Algorithm;

/// Maximum length of a key in bytes. RSA with 8,192 bits takes 1,041.
const MAX_BYTES: usize = 2048;

/// Labels that all keys have (RFC 9052 §7.1).
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;

/// Key of any type.
pub(crate) struct Key(Map);

impl Key {
    /// Reads the key at the front of `bytes`. Returns it and the bytes that follow.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (map, rest) = Map::read(bytes)?;
        let length = bytes.len().checked_sub(rest.len())?;
        (length <= MAX_BYTES).then_some((Self(map), rest))
    }

    /// Parses a key that nothing follows.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).filter(|(_, rest)| rest.is_empty()).map(|(key, _)| key)
    }

    /// Returns the number of its algorithm in the COSE registry.
    pub(crate) fn algorithm(&self) -> Option<i64> {
        self.0.integer(ALGORITHM)
    }

    /// Returns the key if it is a valid one of an algorithm (WebAuthn §5.8.5).
    pub(crate) fn public_key(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        if self.algorithm() != Some(algorithm.cose().into()) {
            return None;
        }
        match algorithm {
            Algorithm::Es256 => self.es256(),
            Algorithm::EdDsa => self.ed25519(),
            Algorithm::Rs256 => self.rs256(),
        }
    }

    /// An uncompressed point on P-256 (RFC 9053 §7.1.1).
    fn es256(&self) -> Option<ParsedPublicKey> {
        self.is_of_type(2, Some(1))?;
        let [x, y]: [&[u8; 32]; 2] = [self.0.bytes(-2)?.try_into().ok()?, self.0.bytes(-3)?.try_into().ok()?];
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, [[4].as_slice(), x, y].concat()).ok()
    }

    /// Ed25519 (RFC 9053 §7.2). The algorithm also has Ed448.
    fn ed25519(&self) -> Option<ParsedPublicKey> {
        self.is_of_type(1, Some(6))?;
        let x: &[u8; 32] = self.0.bytes(-2)?.try_into().ok()?;
        ParsedPublicKey::new(&ED25519, x).ok()
    }

    /// RSA (RFC 8230 §4) with 2,048 to 8,192 bits and an odd exponent from 3 to 2³².
    fn rs256(&self) -> Option<ParsedPublicKey> {
        self.is_of_type(3, None)?;
        let (n, e) = (self.0.bytes(-1)?, self.0.bytes(-2)?);
        let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        let is_sane = (2048..=8192).contains(&bits) && is_odd(n) && is_odd(e) && e.len() <= 4 && e != [1];
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok().filter(|_| is_sane)
    }

    /// Compares the key type and, if the type has one, the curve.
    fn is_of_type(&self, key_type: i64, curve: Option<i64>) -> Option<()> {
        let is_curve = curve.is_none_or(|curve| self.0.integer(-1) == Some(curve));
        (self.0.integer(KEY_TYPE) == Some(key_type) && is_curve).then_some(())
    }
}
