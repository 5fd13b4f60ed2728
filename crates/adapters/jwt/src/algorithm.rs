//! Signature algorithms of tokens.

use std::str::FromStr;

/// Signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). The signing key uses the configured one; a
/// previous key keeps its own.
///
/// ```
/// use portcullis_jwt::Algorithm;
/// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
/// assert!("none".parse::<Algorithm>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All supported algorithms.
    pub const ALL: [Self; 6] = [Self::Hs256, Self::Hs384, Self::Hs512, Self::Rs256, Self::Es256, Self::EdDsa];

    /// Returns the name used in token headers and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns whether the same secret signs and verifies. The other algorithms sign with a private
    /// key.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Parses the exact name. RFC 7515 §4.1.1 makes it case-sensitive.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

/// Error for a name that is not in [`Algorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is one of HS256, HS384, HS512, RS256, ES256 and EdDSA")]
pub struct UnknownAlgorithm;
