//! Parses public keys, and creates their JWK (RFC 7517) with its thumbprint (RFC 7638) as `kid`.

use super::KeyError;
use crate::algorithm::Algorithm;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use portcullis_domain::keys::{PublicKey, PublicKeyParams};

/// Parses the public key of an algorithm: an RSA key in PKCS#1, an elliptic curve point, or the 32
/// bytes of Ed25519.
pub(super) fn read(algorithm: Algorithm, bytes: &[u8]) -> Result<(ParsedPublicKey, PublicKey), KeyError> {
    let (key, parsed) = match algorithm {
        Algorithm::Rs256 => {
            (DecodingKey::from_rsa_der(bytes), ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes))
        }
        Algorithm::Es256 => (DecodingKey::from_ec_der(bytes), ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes)),
        Algorithm::EdDsa => (DecodingKey::from_ed_der(bytes), ParsedPublicKey::new(&ED25519, bytes)),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return Err(KeyError::WrongKind),
    };
    let jwk = Jwk::from_decoding_key(&key, None).map_err(|_| KeyError::Unusable)?;
    let public = published(jwk)?;
    // Checked once here, since the library would check it for each token.
    if let PublicKeyParams::Rsa { n, .. } = &public.params
        && !(2048..=8192).contains(&bits(n))
    {
        return Err(KeyError::Size);
    }
    Ok((parsed.map_err(|_| KeyError::Unusable)?, public))
}

fn published(jwk: Jwk) -> Result<PublicKey, KeyError> {
    let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Unusable)?;
    let numbers = match jwk.algorithm {
        AlgorithmParameters::RSA(key) => PublicKeyParams::Rsa { n: key.n, e: key.e },
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            PublicKeyParams::P256 { x: key.x, y: key.y }
        }
        AlgorithmParameters::OctetKeyPair(key) => PublicKeyParams::Ed25519 { x: key.x },
        _ => return Err(KeyError::Unusable),
    };
    Ok(PublicKey { id, params: numbers })
}

/// Returns the length of an unsigned number in bits.
fn bits(number: &str) -> usize {
    let bytes = URL_SAFE_NO_PAD.decode(number).unwrap_or_default();
    let mut rest = bytes.iter().skip_while(|byte| **byte == 0);
    let first = rest.next().map_or(0, |byte| byte.checked_ilog2().map_or(0, |log| log + 1));
    8 * rest.count() + usize::try_from(first).unwrap_or(0)
}
