//! The algorithms that tokens can be signed with, and what a key must be. Keys in files, for
//! algorithms with a public half, come with their feature.

use std::str::FromStr;

/// How tokens are signed (RFC 7518 §3.1). One is configured; the others are refused.
///
/// ```
/// use portcullis_jwt::Algorithm;
/// assert_eq!("HS512".parse(), Ok(Algorithm::Hs512));
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
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The name in a token's header, and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    pub(crate) const fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs384 => jsonwebtoken::Algorithm::HS384,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
        }
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the exact name: RFC 7515 §4.1.1 makes it case-sensitive.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

/// A name that stands for no algorithm of [`Algorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is one of HS256, HS384 and HS512")]
pub struct UnknownAlgorithm;

/// A key that nothing may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No secret at all, which the library would take.
    #[error("the secret is empty")]
    Empty,
}

pub(crate) fn checked(secret: &[u8]) -> Result<&[u8], KeyError> {
    if secret.is_empty() { Err(KeyError::Empty) } else { Ok(secret) }
}
