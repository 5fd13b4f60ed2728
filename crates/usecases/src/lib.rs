//! Use cases of the service: one folder per feature, one file per use case, written against the ports.
//!
//! A use case is a struct that holds its ports and has one main method, `run`. Input types are named
//! by noun phrases (`PasswordLogin`), outcomes by past participles (`LoggedIn`). Errors are a
//! [`UseCaseError`] with the reasons of that use case, each with a stable code. A use case whose calls
//! are limited implements [`Counted`]. This crate contains no SQL and no HTTP.

mod caller;
mod counted;
mod failure;
pub mod health;
pub mod limits;
pub mod login;
pub mod mail;
pub mod maintenance;
pub mod mfa;
pub mod passkeys;
pub mod providers;
pub mod recovery;
pub mod registration;
pub mod sessions;
pub mod tokens;
pub mod verification;

pub use caller::Caller;
pub use counted::Counted;
pub use failure::{DependencyError, Reason, UseCaseError};

/// See [`portcullis_ports::CANCEL_GRACE`].
pub const CANCEL_GRACE: std::time::Duration = portcullis_ports::CANCEL_GRACE;

/// Logger for events of accounts and tokens. Log readers rely on the name.
const LOG: &str = "app.auth.service";

/// Logger for events that need an operator's attention.
const SECURITY_LOG: &str = "app.security";
