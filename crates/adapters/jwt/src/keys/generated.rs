//! New private keys. The library draws their randomness itself: it takes none for RSA.

use super::{KeyError, SigningKey};
use crate::algorithm::Algorithm;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use pem::{EncodeConfig, LineEnding, Pem};
use portcullis_domain::keys::PublicKey;

/// A private key that nobody has yet.
pub struct GeneratedKey {
    /// The private key, as PKCS#8 in PEM: a secret.
    pub pem: String,
    /// Its public half.
    pub public: PublicKey,
}

/// Makes a private key: RSA with 2048 bits, on P-256, or of Ed25519.
///
/// ```
/// use portcullis_jwt::{Algorithm, SigningKey, generate};
/// let made = generate(Algorithm::Es256)?;
/// let key = SigningKey::of_pem(Algorithm::Es256, &made.pem)?;
/// assert_eq!(key.verifying_key().public(), Some(&made.public));
/// # Ok::<(), portcullis_jwt::KeyError>(())
/// ```
///
/// # Errors
/// [`KeyError::WrongKind`] for an algorithm that signs with a secret.
pub fn generate(algorithm: Algorithm) -> Result<GeneratedKey, KeyError> {
    let der = private_key(algorithm).map_err(|_| KeyError::GenerationFailed)?.ok_or(KeyError::WrongKind)?;
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let pem = pem::encode_config(&Pem::new("PRIVATE KEY", der), config);
    let key = SigningKey::of_pem(algorithm, &pem)?.verifying_key();
    let public = key.public().cloned().ok_or(KeyError::GenerationFailed)?;
    Ok(GeneratedKey { pem, public })
}

fn private_key(algorithm: Algorithm) -> Result<Option<Vec<u8>>, aws_lc_rs::error::Unspecified> {
    Ok(match algorithm {
        Algorithm::Rs256 => {
            let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
            Some(der.as_ref().to_vec())
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
            Some(pair.to_pkcs8v1()?.as_ref().to_vec())
        }
        // Without the public half (RFC 5958 version 1), which openssl 1.1 does not read.
        Algorithm::EdDsa => Some(Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec()),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
    })
}
