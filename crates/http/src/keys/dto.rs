//! The JSON of public keys: a JWK Set (RFC 7517 §5).

use paperclip::actix::Apiv2Schema;
use portcullis_domain::keys::{PublicKey, PublicKeyParams};
use serde::Serialize;

/// The public keys that verify tokens.
#[derive(Serialize, Apiv2Schema)]
pub(crate) struct JwkSetResponse {
    /// The key that signs now, if any, and those that signed before.
    keys: Vec<Jwk>,
}

/// A public key.
#[derive(Serialize, Apiv2Schema, Default)]
pub(crate) struct Jwk {
    /// The kind of key: `RSA`, `EC` or `OKP`.
    kty: &'static str,
    /// What it is for: always `sig`.
    #[serde(rename = "use")]
    purpose: &'static str,
    /// The algorithm of the tokens that it verifies.
    alg: &'static str,
    /// The name that tokens give: the thumbprint of the key (RFC 7638).
    kid: String,
    /// The curve: `P-256` or `Ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    /// The modulus of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// The exponent of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// The first coordinate of a point, or the key of Ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// The second coordinate of a point.
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
