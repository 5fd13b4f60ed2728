//! Verifies tokens.

use crate::{
    algorithm::Algorithm,
    claims, jws,
    keys::{KeyError, VerifyingKey},
};
use chrono::{DateTime, Utc};
use portcullis_domain::keys::PublicKey;
use portcullis_domain::tokens::Claims;
use portcullis_json::Object;
use portcullis_ports::{InvalidToken, TokenVerifier};
use std::sync::Arc;

/// Verifies tokens signed by one of several keys, each with its own algorithm. A token can choose
/// neither: its `kid` only selects one of these keys.
#[derive(Debug)]
pub struct JwtVerifier {
    keys: Vec<Arc<VerifyingKey>>,
}

impl JwtVerifier {
    /// Creates a verifier for tokens signed by the current key or a previous one.
    #[must_use]
    pub fn new(current: Arc<VerifyingKey>, previous: impl IntoIterator<Item = Arc<VerifyingKey>>) -> Self {
        Self { keys: std::iter::once(current).chain(previous).collect() }
    }

    /// Creates a verifier for tokens signed by
    /// [`JwtIssuer::with_secret`](crate::JwtIssuer::with_secret).
    ///
    /// # Errors
    /// Returns the same errors as [`VerifyingKey::of_secret`].
    pub fn with_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(Arc::new(VerifyingKey::of_secret(algorithm, secret)?), []))
    }

    /// Returns the public keys without duplicates, the current one first. Secrets are omitted.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let mut published: Vec<PublicKey> = Vec::new();
        for key in self.keys.iter().filter_map(|key| key.public()) {
            if !published.contains(key) {
                published.push(key.clone());
            }
        }
        published
    }
}

impl TokenVerifier for JwtVerifier {
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        let payload = jws::verify(token, &self.keys).ok_or(InvalidToken)?;
        let payload = Object::parse(&payload).ok_or(InvalidToken)?;
        claims::read(&payload, now).ok_or(InvalidToken)
    }
}
