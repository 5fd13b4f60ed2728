//! Hand-made tokens (RFC 7515, RFC 7519): those the service must accept from other programs and those it must
//! refuse.

use super::services::SECRET;
use super::timing::unix_now;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Header that python-jose writes.
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the token part with this index.
pub(crate) fn part(token: &str, number: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()
}

/// Returns a token's claims without verifying it.
pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap()
}

/// Returns header and claims in compact form, without a signature.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", base64url(header), base64url(claims))
}

/// Signs any input with HMAC SHA-256.
pub(crate) fn signed_with(secret: &[u8], input: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(input.as_bytes());
    format!("{input}.{}", base64url(mac.finalize().into_bytes()))
}

/// Creates a correctly signed token with this exact header and claims text.
pub(crate) fn signed(header: &str, claims: &str) -> String {
    signed_with(SECRET.as_bytes(), &unsigned(header, claims))
}

/// Creates a correctly signed token with these claims.
pub(crate) fn token(claims: &Value) -> String {
    signed(HEADER, &claims.to_string())
}

/// Returns the claims of an access token that is valid for one minute.
pub(crate) fn access_claims(user_id: i64) -> Value {
    let now = unix_now();
    let jti = format!("{:032x}", 0xf0f0 + user_id);
    json!({"sub": user_id.to_string(), "jti": jti, "type": "access", "exp": now + 60, "iat": now})
}

/// Returns the claims with one claim set to another value.
pub(crate) fn with(claims: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims.clone();
    claims[name] = value.into();
    claims
}

/// Returns the claims without one claim.
pub(crate) fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Creates a refresh token with a stored token's claims except one.
pub(crate) fn changed(token: &str, name: &str, value: impl Into<Value>) -> String {
    self::token(&with(&claims(token), name, value))
}
