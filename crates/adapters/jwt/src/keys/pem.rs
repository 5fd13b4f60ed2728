//! Parses keys in PEM (RFC 7468). The type of a key determines its algorithm; a token never does.

use super::{KeyError, Signer};
use crate::algorithm::Algorithm;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use jsonwebtoken::DecodingKey;
use pem::Pem;

/// Label of the block that `openssl ecparam` writes before the key. It is ignored, because it adds
/// nothing to the key.
const PARAMETERS: &str = "EC PARAMETERS";

/// Returns whether the text contains a public key.
pub(super) fn is_public(text: &str) -> Result<bool, KeyError> {
    Ok(matches!(block(text)?.tag(), "PUBLIC KEY" | "RSA PUBLIC KEY"))
}

/// Parses the private key in the text.
pub(super) fn private_key(text: &str) -> Result<Signer, KeyError> {
    let block = block(text)?;
    match block.tag() {
        "PRIVATE KEY" => of_any_kind(block.contents()),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(block.contents()).map(Signer::Rsa).map_err(|error| of_rsa(&error)),
        "EC PRIVATE KEY" => p256(block.contents()),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(KeyError::Public),
        _ => Err(KeyError::NotAKey),
    }
}

/// Returns the algorithm and the bytes of the public key in the text.
pub(super) fn public_key(text: &str) -> Result<(Algorithm, Vec<u8>), KeyError> {
    let pem = pem::encode(&block(text)?);
    let kinds = [
        (Algorithm::Rs256, DecodingKey::from_rsa_pem(pem.as_bytes())),
        (Algorithm::Es256, DecodingKey::from_ec_pem(pem.as_bytes())),
        (Algorithm::EdDsa, DecodingKey::from_ed_pem(pem.as_bytes())),
    ];
    let read = kinds.iter().find_map(|(algorithm, key)| Some((*algorithm, key.as_ref().ok()?)));
    let (algorithm, key) = read.ok_or(KeyError::Unusable)?;
    Ok((algorithm, key.try_get_as_bytes().map_err(|_| KeyError::Unusable)?.to_vec()))
}

/// Returns the only block that is a key.
fn block(text: &str) -> Result<Pem, KeyError> {
    let blocks = pem::parse_many(text).map_err(|_| KeyError::NotPem)?;
    let mut keys = blocks.into_iter().filter(|block| block.tag() != PARAMETERS);
    let (Some(block), None) = (keys.next(), keys.next()) else { return Err(KeyError::NotPem) };
    // Before PKCS#8, a header named the cipher (RFC 1421 §4.6).
    let encrypted = block.tag() == "ENCRYPTED PRIVATE KEY" || block.headers().get("DEK-Info").is_some();
    if encrypted { Err(KeyError::Encrypted) } else { Ok(block) }
}

/// Parses a PKCS#8 key. Each parser rejects the key types of the others.
fn of_any_kind(der: &[u8]) -> Result<Signer, KeyError> {
    match RsaKeyPair::from_pkcs8(der) {
        Ok(pair) => return Ok(Signer::Rsa(pair)),
        Err(error) if of_rsa(&error) == KeyError::Size => return Err(KeyError::Size),
        Err(_) => {}
    }
    // Keys written by openssl have no public half to check the private one against.
    match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        Ok(pair) => Ok(Signer::Ed25519(pair)),
        Err(_) => p256(der),
    }
}

fn p256(der: &[u8]) -> Result<Signer, KeyError> {
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
    pair.map(Signer::P256).map_err(|_| KeyError::Unusable)
}

fn of_rsa(error: &KeyRejected) -> KeyError {
    match error.to_string().as_str() {
        "TooSmall" | "TooLarge" => KeyError::Size,
        _ => KeyError::Unusable,
    }
}
