//! Signs claims.

use crate::{
    algorithm::Algorithm,
    claims, jws,
    keys::{KeyError, SigningKey},
};
use portcullis_domain::tokens::Claims;
use portcullis_ports::{SigningError, TokenIssuer};

/// Issues tokens with the claims of the FastAPI application. If the key is a secret, the header is also
/// the one that its library, python-jose, writes.
#[derive(Debug)]
pub struct JwtIssuer {
    key: SigningKey,
}

impl JwtIssuer {
    /// Creates an issuer from a signing key.
    #[must_use]
    pub const fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// Creates an issuer from a secret.
    ///
    /// # Errors
    /// Returns the same errors as [`SigningKey::of_secret`].
    pub fn with_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(SigningKey::of_secret(algorithm, secret)?))
    }
}

impl TokenIssuer for JwtIssuer {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        let payload = claims::write(claims).map_err(|error| SigningError(error.to_string()))?;
        jws::sign(&payload, &self.key).ok_or_else(|| SigningError("the key refused".to_owned()))
    }
}
