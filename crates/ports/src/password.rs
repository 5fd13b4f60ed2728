//! Slow hashing, and passwords that everybody knows.

use crate::CancellationToken;
use portcullis_domain::registration::{Password, PasswordHash};
use std::time::Duration;

/// Hashes and verifies passwords. Every call takes the time of one slow hash, whatever it finds.
/// A call may have to wait for its turn; when the caller's patience is over by then, it is
/// refused, and nothing was hashed. A call whose turn comes at once is served whatever the patience.
///
/// ```
/// # use portcullis_domain::registration::{Password, PasswordHash};
/// # use portcullis_ports::{HasherError, PasswordHasher, CancellationToken, PasswordCheck};
/// fn signs_in(hasher: &dyn PasswordHasher, typed: &Password, stored: &PasswordHash) -> Result<bool, HasherError> {
///     Ok(matches!(hasher.verify(typed, stored, &CancellationToken::never())?, PasswordCheck::Match { .. }))
/// }
/// ```
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password with a fresh salt.
    ///
    /// # Errors
    /// [`HasherError`].
    fn hash(&self, password: &Password, cancellation: &CancellationToken) -> Result<PasswordHash, HasherError>;

    /// Hashes a password again, in place of its outdated hash. A hash never gets cheaper: the cost
    /// is the configured one, or that of the old hash if it is higher.
    ///
    /// # Errors
    /// [`HasherError`].
    fn rehash(
        &self,
        password: &Password,
        outdated: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordHash, HasherError>;

    /// Holds a password against a stored hash.
    ///
    /// # Errors
    /// [`HasherError`]. A hash that cannot be read is no error but [`PasswordCheck::Unreadable`].
    fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        cancellation: &CancellationToken,
    ) -> Result<PasswordCheck, HasherError>;

    /// Takes the time of [`verify`](Self::verify) where there is no account to verify against,
    /// so that time does not tell who exists. The same account name always takes the same time, and
    /// all of them together take the times that stored hashes take.
    ///
    /// # Errors
    /// [`HasherError`].
    fn dummy_verify(
        &self,
        password: &Password,
        account: &str,
        cancellation: &CancellationToken,
    ) -> Result<(), HasherError>;
}

/// Knows passwords that many people choose.
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
    /// Whether the password is a common one, or made of words that its context suggests: the
    /// product's name, the account's address.
    fn contains(&self, password: &Password, context: &[&str]) -> bool;
}

/// What holding a password against a hash showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the password.
    Match {
        /// Whether the hash should be replaced by a fresh one: its cost is lower than the
        /// configured one, or it covers a part of the password only.
        needs_rehash: bool,
    },
    /// It is another.
    Mismatch,
    /// The stored hash is damaged or of an unknown scheme: nobody can have its password.
    Unreadable,
}

/// Why a hasher did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// More hashes are waiting than can be made in time, or this one has waited too long. An
    /// outage of nothing: try again.
    #[error("too many hashes are waiting")]
    Busy {
        /// After how long a place may be free.
        retry_after: Duration,
    },
    /// It failed for a reason that has nothing to do with the password.
    #[error("hashing failed: {0}")]
    Failed(String),
}
