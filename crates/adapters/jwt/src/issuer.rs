//! Signs claims.

use crate::{
    algorithm::{Algorithm, KeyError, checked},
    claims, jws,
};
use jsonwebtoken::EncodingKey;
use portcullis_domain::tokens::{AccessClaims, Claims, RefreshClaims};
use portcullis_ports::{SigningError, TokenIssuer};

/// Issues tokens, with the header and claims of python-jose.
pub struct JwtIssuer {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl JwtIssuer {
    /// An issuer that signs with a secret. That it is long enough is for the configuration to see
    /// to: RFC 7518 §3.2 asks for as many bytes as the hash has.
    ///
    /// # Errors
    /// [`KeyError::Empty`].
    pub fn with_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { algorithm, key: EncodingKey::from_secret(checked(secret)?) })
    }

    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        let payload = claims::write(claims).map_err(|error| SigningError(error.to_string()))?;
        jws::seal(&payload, self.algorithm, &self.key).map_err(|error| SigningError(error.to_string()))
    }
}

impl TokenIssuer for JwtIssuer {
    fn access(&self, claims: &AccessClaims) -> Result<String, SigningError> {
        self.sign(&Claims::Access(claims.clone()))
    }

    fn refresh(&self, claims: &RefreshClaims) -> Result<String, SigningError> {
        self.sign(&Claims::Refresh(claims.clone()))
    }
}
