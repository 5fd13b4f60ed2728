//! Keys of a provider (RFC 7517), and the signatures that they verify.

use crate::client::{object, rejected};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use portcullis_json::{Json, Object};
use portcullis_ports::ProviderError;

/// Signature keys of a provider. Others, such as encryption keys or unknown types, are left out (§5).
pub(crate) struct Jwks(Vec<Key>);

/// Public key of one type: RSA of 2048 bits or more, P-256 or Ed25519.
pub(crate) struct Key {
    id: Option<String>,
    /// Only algorithm that the key may be used with, if it names one.
    algorithm: Option<String>,
    /// Microsoft: issuer that the key signs for.
    pub(crate) issuer: Option<String>,
    key: DecodingKey,
}

/// Reason why no key verifies a token.
pub(crate) enum KeyChoiceError {
    /// No key has that id. A newer set may.
    Unknown,
    /// The token is refused.
    Refused(&'static str),
}

impl Jwks {
    /// Parses a key set. Needs at least one usable key.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ProviderError> {
        let set = object("jwks_uri", body)?;
        let Some(Json::Array(keys)) = set.0.get("keys") else { return Err(rejected("keys is missing or malformed")) };
        let keys: Vec<_> =
            keys.iter().filter_map(|key| if let Json::Object(key) = key { key_of(key) } else { None }).collect();
        if keys.is_empty() { Err(rejected("no usable key")) } else { Ok(Self(keys)) }
    }

    /// Returns the number of usable keys.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the key that a token's header names. Without a `kid` there must be one key only (OpenID
    /// Connect Core 1.0 §10.1).
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Key, KeyChoiceError> {
        let named: Vec<_> = self.0.iter().filter(|key| kid.is_none() || key.id.as_deref() == kid).collect();
        if kid.is_none() && named.len() > 1 {
            return Err(KeyChoiceError::Refused("kid is missing and there are several keys"));
        }
        if named.is_empty() {
            return Err(KeyChoiceError::Unknown);
        }
        // Keys of different types may share an id (RFC 7517 §4.5).
        let mut fitting = named.into_iter().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(KeyChoiceError::Refused("alg does not fit the key")),
            (Some(_), Some(_)) => Err(KeyChoiceError::Refused("several keys have that kid")),
        }
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let named = self.algorithm.as_deref().is_none_or(|name| algorithm_of(name) == Some(algorithm));
        named && self.key.family() == algorithm.family()
    }

    /// Returns whether the key made this signature, which is in base64url.
    pub(crate) fn verifies(&self, signed: &str, signature: &str, algorithm: Algorithm) -> bool {
        crypto::verify(signature, signed.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

/// Returns the accepted algorithm of that name (RFC 7518 §3.1, RFC 8037 §3.1): never `none` or HMAC.
pub(crate) fn algorithm_of(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// Reads a public signature key. Returns `None` if it is for another use or not of a supported type.
fn key_of(jwk: &Object<'_>) -> Option<Key> {
    if (jwk.has("use") && jwk.text("use") != Some("sig"))
        || (jwk.has("key_ops") && !jwk.texts("key_ops")?.contains(&"verify"))
    {
        return None;
    }
    let key = match (jwk.text("kty")?, jwk.text("crv")) {
        ("RSA", _) => DecodingKey::from_rsa_components(jwk.text("n")?, jwk.text("e")?),
        ("EC", Some("P-256")) => DecodingKey::from_ec_components(jwk.text("x")?, jwk.text("y")?),
        ("OKP", Some("Ed25519")) => DecodingKey::from_ed_components(jwk.text("x")?),
        _ => return None,
    };
    let owned = |name| jwk.text(name).map(str::to_owned);
    let (id, algorithm) = (owned("kid"), owned("alg"));
    // A key for another algorithm of the same family, such as RS512 or RSA-OAEP, verifies no ID token.
    if algorithm.as_deref().is_some_and(|name| algorithm_of(name).is_none()) {
        return None;
    }
    Some(Key { id, algorithm, issuer: owned("issuer"), key: key.ok()? })
}
