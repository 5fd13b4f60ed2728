//! Words and rules of authentication, for Portcullis and for any other program.
//!
//! Everything here is a value or a pure function of values: no I/O, no clock, no randomness, no
//! framework. The caller passes the time and the random bytes in, and carries the decisions out.
//!
//! ```
//! use chrono::{TimeDelta, Utc};
//! use portcullis_domain::registration::{EmailAddress, Password, PasswordPolicy};
//! use portcullis_domain::tokens::{RefreshContext, RefreshPolicy, RefreshToken, Jti, Verdict};
//! use portcullis_domain::registration::UserId;
//! use portcullis_domain::sessions::SessionState;
//!
//! // What a person typed becomes a value that is right, or an error that says what was wrong.
//! let email = EmailAddress::parse(" Ada@Example.COM ")?;
//! assert_eq!(email.canonical(), "ada@example.com");
//! PasswordPolicy::default().validate(Password::new("correct horse"))?;
//!
//! // A refresh token is live until it is spent; what it is worth is decided from values alone.
//! # let now = chrono::DateTime::<Utc>::UNIX_EPOCH;
//! let token = RefreshToken::new(Jti::from_random([7; 16]), UserId::new(1), now, TimeDelta::days(7));
//! let (session, successor_unspent) = (SessionState::Active, true);
//! let shown = RefreshContext { now, key: None, session, successor_unspent, spent_age: None };
//! assert_eq!(RefreshPolicy::STRICT.judge(&token, &shown), Verdict::Rotated);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The features: `serde` for the serialised form of identifiers, codes and states;
//! `international` for email addresses beyond ASCII.

#![warn(missing_docs)]

mod error_code;
pub mod health;
mod hex;
pub mod keys;
pub mod limits;
pub mod login;
pub mod mail;
pub mod maintenance;
pub mod registration;
pub mod sessions;
pub mod tokens;
pub mod verification;

pub use error_code::ErrorCode;
