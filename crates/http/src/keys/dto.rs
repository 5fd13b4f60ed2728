//! DTOs of the public keys: a JWK Set (RFC 7517 §5).

use paperclip::actix::Apiv2Schema;
use portcullis_domain::keys::{PublicKey, PublicKeyParams};
use serde::Serialize;

/// JWK Set of the public keys that verify tokens.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct JwkSetResponse {
    /// Current signing key, if any, followed by earlier ones.
    keys: Vec<Jwk>,
}

/// Public key (JWK).
#[derive(Serialize, Apiv2Schema, Default)]
pub(crate) struct Jwk {
    /// Key type: `RSA`, `EC` or `OKP`.
    kty: &'static str,
    /// Key use: always `sig`.
    #[serde(rename = "use")]
    purpose: &'static str,
    /// Algorithm of the tokens that the key verifies.
    alg: &'static str,
    /// Key id, as in the header of tokens: the JWK thumbprint (RFC 7638).
    kid: String,
    /// Curve: `P-256` or `Ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    /// Modulus of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// Public exponent of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// x coordinate of a P-256 point, or the Ed25519 public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// y coordinate of a P-256 point.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl JwkSetResponse {
    pub(super) fn of(keys: &[PublicKey]) -> Self {
        Self { keys: keys.iter().map(Jwk::of).collect() }
    }
}

impl Jwk {
    fn of(key: &PublicKey) -> Self {
        let common = Self { purpose: "sig", alg: key.params.algorithm(), kid: key.id.clone(), ..Self::default() };
        match key.params.clone() {
            PublicKeyParams::Rsa { n, e } => Self { kty: "RSA", n: Some(n), e: Some(e), ..common },
            PublicKeyParams::P256 { x, y } => Self { kty: "EC", crv: Some("P-256"), x: Some(x), y: Some(y), ..common },
            PublicKeyParams::Ed25519 { x } => Self { kty: "OKP", crv: Some("Ed25519"), x: Some(x), ..common },
        }
    }
}
