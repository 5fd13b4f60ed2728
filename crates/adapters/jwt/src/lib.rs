//! Issues and verifies JSON Web Tokens (RFC 7519). Each key is pinned to one algorithm, as RFC 8725
//! recommends. Also parses, generates and publishes keys. The domain checks expiry, token type and
//! revocation.
//!
//! ```
//! use chrono::DateTime;
//! use portcullis_domain::{registration::UserId, tokens::{Claims, Jti, TokenLifetimes}};
//! use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier};
//! use portcullis_ports::{TokenIssuer, TokenVerifier};
//! let (algorithm, secret) = ("HS256".parse::<Algorithm>()?, [7; 32]);
//! let issuer = JwtIssuer::with_secret(algorithm, &secret)?;
//! let verifier = JwtVerifier::with_secret(algorithm, &secret)?;
//! let now = DateTime::UNIX_EPOCH;
//! let claims = TokenLifetimes::default().access(UserId::new(1), Jti::from_random([1; 16]), now);
//! let claims = Claims::Access(claims);
//! assert_eq!(verifier.verify(&issuer.sign(&claims)?, now)?, claims);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod algorithm;
mod claims;
mod issuer;
mod jws;
mod keys;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use issuer::JwtIssuer;
pub use keys::{GeneratedKey, KeyError, SigningKey, VerifyingKey, generate};
pub use verifier::JwtVerifier;
