//! Keys of the software authenticator.

use super::cbor;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use portcullis_domain::passkeys::Algorithm;

/// Key pair of a credential.
#[derive(Debug)]
pub enum SoftwareKey {
    /// P-256.
    Es256(EcdsaKeyPair),
    /// Ed25519.
    EdDsa(Ed25519KeyPair),
    /// RSA with 2,048 bits.
    Rs256(RsaKeyPair),
}

impl SoftwareKey {
    /// Creates a random key.
    #[must_use]
    pub fn generate(algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Self::Es256),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Self::EdDsa),
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rs256),
        };
        key.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Returns the public key as a COSE_Key (RFC 9053 §7, RFC 8230 §4).
    #[must_use]
    pub fn cose(&self) -> Vec<u8> {
        let algorithm = (3, cbor::integer(self.algorithm().cose().into()));
        let entries = match self {
            Self::Es256(key) => {
                let point = key.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let curve = (-1, cbor::integer(1));
                vec![(1, cbor::integer(2)), algorithm, curve, (-2, cbor::bytes(x)), (-3, cbor::bytes(y))]
            }
            Self::EdDsa(key) => {
                let x = cbor::bytes(key.public_key().as_ref());
                vec![(1, cbor::integer(1)), algorithm, (-1, cbor::integer(6)), (-2, x)]
            }
            Self::Rs256(key) => {
                let key = key.public_key();
                let n = cbor::bytes(key.modulus().big_endian_without_leading_zero());
                let e = cbor::bytes(key.exponent().big_endian_without_leading_zero());
                vec![(1, cbor::integer(3)), algorithm, (-1, n), (-2, e)]
            }
        };
        let entries: Vec<_> = entries.into_iter().map(|(label, value)| (cbor::integer(label), value)).collect();
        cbor::map(&entries)
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(key) => {
                let signature = key.sign(&random, message).unwrap_or_else(|error| panic!("{error}"));
                signature.as_ref().to_vec()
            }
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signed.unwrap_or_else(|error| panic!("{error}"));
                signature
            }
        }
    }

    pub(super) fn id(&self) -> Vec<u8> {
        sha256(&self.cose()).to_vec()
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_else(|error| panic!("{error}"))
}
