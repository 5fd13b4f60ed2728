//! Generates private keys. The library uses its own randomness, since it accepts none for RSA.

use super::{KeyError, SigningKey};
use crate::algorithm::Algorithm;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use pem::{EncodeConfig, LineEnding, Pem};
use portcullis_domain::keys::PublicKey;

/// Newly generated private key.
pub struct GeneratedKey {
    /// Private key as PKCS#8 in PEM. Secret.
    pub pem: String,
    /// Public key.
    pub public: PublicKey,
}

/// Generates a private key: RSA with 2048 bits, P-256 or Ed25519.
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
        // Without the public key (RFC 5958 version 1): openssl 1.1 cannot read version 2.
        Algorithm::EdDsa => Some(Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec()),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
    })
}
