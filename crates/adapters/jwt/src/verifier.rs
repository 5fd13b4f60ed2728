//! Verifies tokens.

use crate::{
    algorithm::{Algorithm, KeyError, checked},
    claims, jws,
};
use chrono::{DateTime, Utc};
use jsonwebtoken::DecodingKey;
use portcullis_domain::tokens::Claims;
use portcullis_ports::{InvalidToken, TokenVerifier};

/// Verifies tokens signed with one algorithm and one key. No token has a say in either.
pub struct JwtVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier {
    /// A verifier of what [`JwtIssuer::with_secret`](crate::JwtIssuer::with_secret) signs.
    ///
    /// # Errors
    /// [`KeyError::Empty`].
    pub fn with_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { algorithm, key: DecodingKey::from_secret(checked(secret)?) })
    }
}

impl TokenVerifier for JwtVerifier {
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        let payload = jws::open(token, self.algorithm, &self.key).ok_or(InvalidToken)?;
        claims::read(&payload, now).ok_or(InvalidToken)
    }
}
