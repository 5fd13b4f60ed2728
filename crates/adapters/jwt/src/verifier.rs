//! Verifies tokens.

use crate::{
    algorithm::Algorithm,
    claims, jws,
    keys::{KeyError, VerifyingKey},
    object::StrictObject,
};
use chrono::{DateTime, Utc};
use portcullis_domain::keys::PublicKey;
use portcullis_domain::tokens::Claims;
use portcullis_ports::{InvalidToken, TokenVerifier};
use std::sync::Arc;

/// Verifies tokens signed by one of a few keys, each with its own algorithm. No token has a say in
/// either: a `kid` can only name one of these.
#[derive(Debug)]
pub struct JwtVerifier {
    keys: Vec<Arc<VerifyingKey>>,
}

impl JwtVerifier {
    /// A verifier of what the current key signs, and of what previous ones signed.
    #[must_use]
    pub fn new(current: Arc<VerifyingKey>, previous: impl IntoIterator<Item = Arc<VerifyingKey>>) -> Self {
        Self { keys: std::iter::once(current).chain(previous).collect() }
    }

    /// A verifier of what [`JwtIssuer::with_secret`](crate::JwtIssuer::with_secret) signs.
    ///
    /// # Errors
    /// As [`VerifyingKey::of_secret`].
    pub fn with_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(Arc::new(VerifyingKey::of_secret(algorithm, secret)?), []))
    }

    /// The public halves of its keys, the current one first, each once. Secrets have none.
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
        let payload = StrictObject::parse(&payload).ok_or(InvalidToken)?;
        claims::read(&payload, now).ok_or(InvalidToken)
    }
}
