//! Password hashing and the blocklist of common passwords.

use crate::CancellationToken;
use portcullis_domain::registration::{Password, PasswordHash};
use std::time::Duration;

/// Hashes and verifies passwords. Every call takes the time of one slow hash, regardless of its result.
///
/// A call may have to queue. If it was cancelled before its turn comes, it fails with
/// [`HasherError::Busy`] without hashing. A call that can start immediately is served even if it was
/// cancelled.
///
/// ```
/// # use portcullis_domain::registration::{Password, PasswordHash};
/// # use portcullis_ports::{HasherError, PasswordHasher, CancellationToken, PasswordCheck};
/// fn matches(hasher: &dyn PasswordHasher, typed: &Password, hash: &PasswordHash)
/// -> Result<bool, HasherError> {
///     let check = hasher.verify(typed, hash, &CancellationToken::never())?;
///     Ok(matches!(check, PasswordCheck::Match { .. }))
/// }
/// ```
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password with a fresh salt.
    ///
    /// # Errors
    /// Returns [`HasherError`] if the hasher is overloaded or fails.
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError>;

    /// Rehashes a password whose hash is outdated. The new cost is the configured one, or that of the
    /// old hash if it is higher.
    ///
    /// # Errors
    /// Returns [`HasherError`] if the hasher is overloaded or fails.
    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError>;

    /// Checks a password against a stored hash.
    ///
    /// # Errors
    /// Returns [`HasherError`] if the hasher is overloaded or fails. An unreadable hash is not an error
    /// but [`PasswordCheck::Unreadable`].
    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError>;

    /// Returns a random hash that no password matches, for an account without one. Checking a password against it
    /// takes as long as against a new hash. Creating it takes no time.
    fn placeholder(&self) -> PasswordHash;

    /// Runs a dummy hash for an account that does not exist. Takes as long as
    /// [`verify`](Self::verify), so that timing does not reveal which accounts exist. The time depends
    /// only on the account name, and is distributed like that of the stored hashes.
    ///
    /// # Errors
    /// Returns [`HasherError`] if the hasher is overloaded or fails.
    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError>;
}

/// Recognizes common passwords.
///
/// ```
/// use portcullis_domain::registration::Password;
/// use portcullis_ports::PasswordBlocklist;
/// struct Context;
/// impl PasswordBlocklist for Context {
///     fn contains(&self, password: &Password, context: &[&str]) -> bool {
///         context.contains(&password.expose())
///     }
/// }
/// assert!(Context.contains(&Password::new("portcullis"), &["portcullis"]));
/// ```
pub trait PasswordBlocklist: Send + Sync {
    /// Returns whether the password is common, or built from words in `context`, such as the product
    /// name and the email address.
    fn contains(&self, password: &Password, context: &[&str]) -> bool;
}

/// Result of checking a password against a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    /// The password matches.
    Match {
        /// True if the hash should be replaced: its cost is lower than the configured one, or it covers
        /// only a part of the password.
        needs_rehash: bool,
    },
    /// The password does not match.
    Mismatch,
    /// The stored hash is damaged or of an unknown scheme. No password matches it.
    Unreadable,
}

/// Reason why the hasher returned no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// Too many hashes are queued, or the call waited too long. Not an outage: try again later.
    #[error("too many hashes are waiting")]
    Busy {
        /// Estimated time until a permit is free.
        retry_after: Duration,
    },
    /// Hashing failed for a reason unrelated to the password.
    #[error("hashing failed: {0}")]
    Failed(String),
}
