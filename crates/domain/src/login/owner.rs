//! An account together with what proves its owner.

use crate::registration::{PasswordHash, User};

/// Credentials of an account, as stored. Redacted in `Debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    hash: PasswordHash,
}

impl Credentials {
    /// Creates credentials from the hash of the password.
    #[must_use]
    pub const fn from_hash(hash: PasswordHash) -> Self {
        Self { hash }
    }

    /// Returns the hash that passwords are verified against, and that links are bound to.
    #[must_use]
    pub const fn hash(&self) -> &PasswordHash {
        &self.hash
    }

    /// Returns the stored text, which is compared and replaced as a whole.
    #[must_use]
    pub fn text(&self) -> &str {
        self.hash.expose()
    }

    /// Returns the credentials after a change of the password.
    #[must_use]
    pub fn with_hash(mut self, hash: PasswordHash) -> Self {
        self.hash = hash;
        self
    }
}

/// Account with its credentials, read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub user: User,
    /// Its credentials.
    pub credentials: Credentials,
}

impl AsRef<User> for Owner {
    fn as_ref(&self) -> &User {
        &self.user
    }
}

impl AsRef<Self> for User {
    fn as_ref(&self) -> &Self {
        self
    }
}
