//! Signing and verification of tokens.

use chrono::{DateTime, Utc};
use portcullis_domain::tokens::Claims;

/// Signs claims as tokens.
///
/// ```
/// # use portcullis_domain::tokens::{AccessClaims, Claims};
/// # use portcullis_ports::{SigningError, TokenIssuer};
/// fn bearer(issuer: &dyn TokenIssuer, claims: AccessClaims) -> Result<String, SigningError> {
///     Ok(format!("Bearer {}", issuer.sign(&Claims::Access(claims))?))
/// }
/// ```
pub trait TokenIssuer: Send + Sync {
    /// Signs a token. Signing the same claims twice yields two tokens with equal claims, whose text may
    /// differ.
    ///
    /// # Errors
    /// Returns [`SigningError`] if the key cannot sign.
    fn sign(&self, claims: &Claims) -> Result<String, SigningError>;
}

/// Verifies tokens of any kind. Does not check expiry; use the methods of [`Claims`].
///
/// ```
/// # use chrono::{DateTime, Utc};
/// # use portcullis_ports::TokenVerifier;
/// fn is_live(verifier: &dyn TokenVerifier, token: &str, now: DateTime<Utc>) -> bool {
///     verifier.verify(token, now).is_ok_and(|claims| claims.into_access(now).is_ok())
/// }
/// ```
pub trait TokenVerifier: Send + Sync {
    /// Returns the claims of a well-formed token with a valid signature. `now` bounds `iat` and `nbf`
    /// (RFC 7519 §4.1.5, §4.1.6).
    ///
    /// # Errors
    /// Returns [`InvalidToken`], the same for every fault (RFC 8725 §3).
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken>;
}

/// Error: the token is malformed, forged, or signed with another algorithm or key than configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;

/// Error: signing failed for a reason unrelated to the claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SigningError(pub String);
