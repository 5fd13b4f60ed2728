//! Authentication types and rules. Portcullis uses them, and so can any other program.
//!
//! Everything here is a value or a pure function of values: no I/O, no clock, no randomness, no
//! framework. The caller passes in the time and the random bytes, and carries out the decisions.
//!
//! *Adopted* accounts and tokens come from the database of the FastAPI application that Portcullis
//! replaces. They may break newer rules, and their tokens have no session until their first exchange.
//!
//! ```
//! use chrono::{TimeDelta, Utc};
//! use portcullis_domain::registration::{EmailAddress, Password, PasswordPolicy};
//! use portcullis_domain::tokens::{RefreshContext, RefreshPolicy, RefreshToken, Jti, Verdict};
//! use portcullis_domain::registration::UserId;
//! use portcullis_domain::sessions::{Session, SessionId, SessionPolicy};
//!
//! // Parsing returns a valid value, or an error that names the broken rule.
//! let email = EmailAddress::parse(" Ada@Example.COM ")?;
//! assert_eq!(email.canonical(), "ada@example.com");
//! PasswordPolicy::default().validate(Password::new("correct horse"))?;
//!
//! // A refresh token is live until it is spent. The verdict depends only on the values passed in.
//! # let now = chrono::DateTime::<Utc>::UNIX_EPOCH;
//! let token = RefreshToken::new(Jti::from_random([7; 16]), UserId::new(1), now, TimeDelta::days(7));
//! let session = Session::begin(SessionId::from_random([3; 16]), UserId::new(1), now);
//! let session = Some(SessionPolicy::default().token_session(&session, now));
//! let presented = RefreshContext {
//!     now, key: None, account_active: true, session, successor_unspent: true, newest: None, spent_age: None,
//! };
//! assert_eq!(RefreshPolicy::STRICT.judge(&token, &presented), Verdict::Rotated);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `international` accepts email addresses beyond ASCII. `serde` serializes
//! [`UserId`](registration::UserId), [`SessionId`](sessions::SessionId), [`Jti`](tokens::Jti), [`ErrorCode`],
//! [`SessionState`](sessions::SessionState), [`EventKind`](sessions::EventKind),
//! [`CircuitState`](health::CircuitState), [`Readiness`](health::Readiness), [`Occasion`](mail::Occasion),
//! [`Language`](mail::Language) and [`Purpose`](verification::Purpose).

#![warn(missing_docs)]

mod error_code;
pub mod health;
pub mod keys;
pub mod limits;
pub mod login;
pub mod mail;
pub mod maintenance;
pub mod mfa;
pub mod passkeys;
pub mod providers;
mod public_id;
pub mod registration;
pub mod sessions;
#[cfg(feature = "serde")]
mod text_serde;
pub mod tokens;
pub mod verification;

pub use error_code::ErrorCode;
