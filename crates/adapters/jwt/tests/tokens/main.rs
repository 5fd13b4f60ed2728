//! Tokens as received: genuine, forged, and correctly signed with invalid content.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod claims;
mod forgeries;
mod form;
mod genuine;
mod keys;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm::HS256, DecodingKey, EncodingKey, crypto};
use portcullis_domain::tokens::Claims;
use portcullis_jwt::{Algorithm, JwtVerifier};
use portcullis_ports::{InvalidToken, TokenVerifier};

/// The secret of the fixtures, split so that no text in this repository looks like a key.
const SECRET: &[u8] = concat!("fixture-secret-key-of-at-", "least-32-bytes-0123456789").as_bytes();
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str =
    r#"{"sub":"7","jti":"0123456789abcdef0123456789abcdef","type":"access","exp":4948956284,"iat":1795356284}"#;
/// The `iat` of [`CLAIMS`].
const IAT: i64 = 1_795_356_284;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn verify_at(token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken> {
    JwtVerifier::with_secret(Algorithm::Hs256, SECRET).unwrap().verify(token, now)
}

fn verify(token: &str) -> Result<Claims, InvalidToken> {
    verify_at(token, at(IAT))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs two encoded parts as HS256 with `secret`.
fn sign_parts(header: &str, payload: &str, secret: &[u8]) -> String {
    let signed = format!("{header}.{payload}");
    let signature = crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(secret), HS256).unwrap();
    assert!(crypto::verify(&signature, signed.as_bytes(), &DecodingKey::from_secret(secret), HS256).unwrap());
    format!("{signed}.{signature}")
}

/// Returns a correctly signed token with any header and payload.
fn sign(header: &str, payload: &str) -> String {
    sign_parts(&encode(header.as_bytes()), &encode(payload.as_bytes()), SECRET)
}
