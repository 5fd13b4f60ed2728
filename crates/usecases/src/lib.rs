//! What the service can do: a folder for each feature, a file for each verb, over the ports.
//!
//! Every verb is a struct that holds its ports and has one method, `run`: input is a noun phrase,
//! the outcome a past participle, the error an enum with a stable code. No SQL and no HTTP here.

mod failure;
pub mod health;
pub mod limits;
pub mod login;
pub mod mail;
pub mod maintenance;
pub mod recovery;
pub mod registration;
pub mod sessions;
pub mod tokens;
pub mod verification;

pub use failure::DependencyError;

/// The logger of what happened to accounts and tokens, by the name that log readers know.
const LOG: &str = "app.auth.service";

/// The logger of what somebody should look into.
const SECURITY_LOG: &str = "app.security";
