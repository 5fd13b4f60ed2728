//! Signing and verifying keys, parsed, checked and expanded once at the start.

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

/// Key that signs tokens, with its verifying key. `Debug` shows nothing of the secret.
pub struct SigningKey {
    signer: Signer,
    verifying: Arc<VerifyingKey>,
}

/// Private key or secret, by the kind of its algorithm.
enum Signer {
    Mac(Box<hmac::Key>),
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Key that verifies tokens of one signing key, with that key's algorithm.
pub struct VerifyingKey {
    algorithm: Algorithm,
    check: Check,
    /// Encoded header of tokens signed with the key.
    header: String,
    public: Option<PublicKey>,
}

/// Secret or public key that checks signatures.
enum Check {
    Mac(Box<hmac::Key>),
    Signature(ParsedPublicKey),
}

impl SigningKey {
    /// Creates an HMAC key. The configuration checks its length: RFC 7518 §3.2 requires as many bytes
    /// as the hash has.
    ///
    /// # Errors
    /// Returns [`KeyError::Empty`] for an empty secret and [`KeyError::WrongKind`] for an algorithm
    /// that needs a private key.
    pub fn of_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::of_secret(algorithm, secret)?;
        let Check::Mac(key) = &verifying.check else { return Err(KeyError::WrongKind) };
        Ok(Self { signer: Signer::Mac(key.clone()), verifying: Arc::new(verifying) })
    }

    /// Parses a private key in PEM: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC 1 (RFC 5915).
    ///
    /// # Errors
    /// Returns [`KeyError`] if the text is not a private key for this algorithm.
    pub fn of_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let signer = pem::private_key(text)?;
        let verifying = VerifyingKey::of_public_bytes(signer.algorithm()?, signer.public_bytes()?)?;
        if verifying.algorithm != algorithm {
            return Err(KeyError::WrongKind);
        }
        Ok(Self { signer, verifying: Arc::new(verifying) })
    }

    /// Returns the key that verifies tokens signed with this key.
    #[must_use]
    pub fn verifying_key(&self) -> Arc<VerifyingKey> {
        self.verifying.clone()
    }

    /// Returns the encoded header of every token of this key.
    pub(crate) fn header(&self) -> &str {
        &self.verifying.header
    }

    /// Passes the signature of a message to `then`. Returns `None` if the key fails. RSA, HMAC and
    /// Ed25519 are deterministic. ECDSA is not: the library draws a random nonce instead of deriving it
    /// (RFC 6979).
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
    /// Creates a verifying HMAC key.
    ///
    /// # Errors
    /// Returns the same errors as [`SigningKey::of_secret`].
    pub fn of_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        // The library would accept an empty secret.
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

    /// Parses a public key in PEM, or takes the public half of a private key. The type of the key
    /// determines the algorithm.
    ///
    /// # Errors
    /// Returns [`KeyError`] if no supported algorithm can use the key.
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

    /// Returns the algorithm that the key verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the public key, or `None` for a secret.
    #[must_use]
    pub const fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// Returns whether tokens of this key have this encoded header.
    pub(crate) fn makes(&self, header: &str) -> bool {
        self.header == header
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            // Compares in constant time.
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
