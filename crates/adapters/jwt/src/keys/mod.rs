//! Keys ready for use: parsed, checked and expanded once, at the start. How they lie in files is
//! left to `pem`, the form of a token to `jws`.

mod error;
mod generated;
mod pem;
mod public;
#[cfg(test)]
mod tests;

pub use error::KeyError;
pub use generated::{GeneratedKey, generate};

use crate::algorithm::Algorithm;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_domain::keys::PublicKey;
use std::fmt;
use std::sync::Arc;

/// A key that signs, and what verifies it. Its `Debug` shows no part of the key.
pub struct SigningKey {
    signer: Signer,
    verifying: Arc<VerifyingKey>,
}

enum Signer {
    Mac(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key that verifies what one key signed, with the one algorithm of that key.
pub struct VerifyingKey {
    algorithm: Algorithm,
    check: Check,
    /// The header of the tokens that are made with the key, encoded.
    header: String,
    public: Option<PublicKey>,
}

enum Check {
    Mac(Box<hmac::Key>),
    Signature(ParsedPublicKey),
}

impl SigningKey {
    /// A secret. That it is long enough is for the configuration to see to: RFC 7518 §3.2 asks
    /// for as many bytes as the hash has.
    ///
    /// # Errors
    /// [`KeyError::Empty`]; [`KeyError::WrongKind`] for an algorithm that needs a private key.
    pub fn of_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::of_secret(algorithm, secret)?;
        let Check::Mac(key) = &verifying.check else { return Err(KeyError::WrongKind) };
        Ok(Self { signer: Signer::Mac(key.clone()), verifying: Arc::new(verifying) })
    }

    /// A private key in PEM: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC 1 (RFC 5915).
    ///
    /// # Errors
    /// [`KeyError`], where it is no private key for this algorithm.
    pub fn of_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let signer = pem::private_key(text)?;
        let verifying = VerifyingKey::of_public_bytes(signer.algorithm()?, signer.public_bytes()?)?;
        if verifying.algorithm != algorithm {
            return Err(KeyError::WrongKind);
        }
        Ok(Self { signer, verifying: Arc::new(verifying) })
    }

    /// What verifies the tokens that this key signs.
    #[must_use]
    pub fn verifying_key(&self) -> Arc<VerifyingKey> {
        self.verifying.clone()
    }

    /// The first part of every token of this key, encoded.
    pub(crate) fn header(&self) -> &str {
        &self.verifying.header
    }

    /// Hands the signature of a message on. By RSA, HMAC and Ed25519 it is the same each time; by
    /// ECDSA it is not: the library draws the nonce, where RFC 6979 would derive it.
    pub(crate) fn sign<T>(&self, message: &[u8], then: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let random = SystemRandom::new();
        Some(match &self.signer {
            Signer::Mac(key) => then(hmac::sign(key, message).as_ref()),
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                then(&signature)
            }
            Signer::P256(pair) => then(pair.sign(&random, message).ok()?.as_ref()),
            Signer::Ed25519(pair) => then(pair.try_sign(message).ok()?.as_ref()),
        })
    }
}

impl Signer {
    fn algorithm(&self) -> Result<Algorithm, KeyError> {
        match self {
            Self::Mac(_) => Err(KeyError::WrongKind),
            Self::Rsa(_) => Ok(Algorithm::Rs256),
            Self::P256(_) => Ok(Algorithm::Es256),
            Self::Ed25519(_) => Ok(Algorithm::EdDsa),
        }
    }

    fn public_bytes(&self) -> Result<&[u8], KeyError> {
        match self {
            Self::Mac(_) => Err(KeyError::WrongKind),
            Self::Rsa(pair) => Ok(pair.public_key().as_ref()),
            Self::P256(pair) => Ok(pair.public_key().as_ref()),
            Self::Ed25519(pair) => Ok(pair.public_key().as_ref()),
        }
    }
}

impl VerifyingKey {
    /// A secret, for one size of HMAC.
    ///
    /// # Errors
    /// As [`SigningKey::of_secret`].
    pub fn of_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        // The library would take it.
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        let size = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => return Err(KeyError::WrongKind),
        };
        let header = encoded(&format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.as_str()));
        Ok(Self { algorithm, check: Check::Mac(Box::new(hmac::Key::new(size, secret))), header, public: None })
    }

    /// A public key in PEM, or a private one, of which the public half is taken. Its kind decides
    /// the algorithm.
    ///
    /// # Errors
    /// [`KeyError`], where it is no key for any of the algorithms.
    pub fn of_pem(text: &str) -> Result<Self, KeyError> {
        if pem::is_public(text)? {
            let (algorithm, bytes) = pem::public_key(text)?;
            return Self::of_public_bytes(algorithm, &bytes);
        }
        let signer = pem::private_key(text)?;
        Self::of_public_bytes(signer.algorithm()?, signer.public_bytes()?)
    }

    fn of_public_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let (key, public) = public::read(algorithm, bytes)?;
        let (alg, kid) = (algorithm.as_str(), &public.id);
        let header = encoded(&format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#));
        Ok(Self { algorithm, check: Check::Signature(key), header, public: Some(public) })
    }

    /// The algorithm that it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The half that everybody may know; a secret has none.
    #[must_use]
    pub const fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// Whether this header, encoded, is that of the tokens that are made with the key.
    pub(crate) fn makes(&self, header: &str) -> bool {
        self.header == header
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            // In constant time.
            Check::Mac(key) => hmac::verify(key, message, signature).is_ok(),
            Check::Signature(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

fn encoded(header: &str) -> String {
    URL_SAFE_NO_PAD.encode(header)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifying).finish()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.public.as_ref().map(|public| &public.id);
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).field("id", &id).finish_non_exhaustive()
    }
}
