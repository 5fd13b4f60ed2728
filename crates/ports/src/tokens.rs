//! Signing tokens and reading signed ones.

use chrono::{DateTime, Utc};
use portcullis_domain::tokens::{AccessClaims, Claims, RefreshClaims};

/// Signs claims. Signing the same claims twice gives tokens that claim the same.
///
/// ```
/// # use portcullis_domain::tokens::AccessClaims;
/// # use portcullis_ports::{SigningError, TokenIssuer};
/// fn bearer(issuer: &dyn TokenIssuer, claims: &AccessClaims) -> Result<String, SigningError> {
///     Ok(format!("Bearer {}", issuer.sign_access(claims)?))
/// }
/// ```
pub trait TokenIssuer: Send + Sync {
    /// An access token.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign_access(&self, claims: &AccessClaims) -> Result<String, SigningError>;

    /// A refresh token.
    ///
    /// # Errors
    /// [`SigningError`].
    fn sign_refresh(&self, claims: &RefreshClaims) -> Result<String, SigningError>;
}

/// Reads tokens of any kind. Says nothing of expiry: that is for [`Claims`] to say.
///
/// ```
/// # use chrono::{DateTime, Utc};
/// # use portcullis_ports::TokenVerifier;
/// fn is_live(verifier: &dyn TokenVerifier, token: &str, now: DateTime<Utc>) -> bool {
///     verifier.verify(token, now).is_ok_and(|claims| claims.into_access(now).is_ok())
/// }
/// ```
pub trait TokenVerifier: Send + Sync {
    /// The claims of a token whose signature is good and whose form is right. `now` bounds
    /// `iat` and `nbf` (RFC 7519 §4.1.5, §4.1.6).
    ///
    /// # Errors
    /// [`InvalidToken`], for every fault alike (RFC 8725 §3).
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, InvalidToken>;
}

/// A token that is malformed, forged, or signed in another way than the configured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidToken;

/// Signing failed, for a reason that has nothing to do with the claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SigningError(pub String);
