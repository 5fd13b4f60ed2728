//! Stored accounts.

use crate::deletion::UserDeletion;
use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};

/// Stores accounts. Does not find accounts that are marked as deleted. Every method returns
/// [`StoreError`] if the store fails.
pub trait UserRepository: UserDeletion {
    /// Adds an account. Returns `None` if its canonical email address is taken, in any spelling.
    fn insert(&mut self, new: &NewUser) -> Result<Option<User>, StoreError>;

    /// Returns the account, or `None` if it does not exist.
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Finds all accounts with the same canonical email address: at most one, or several if adopted
    /// addresses differ by case only. An unreadable row is logged and skipped.
    fn find_by_email(&mut self, email: &EmailAddress) -> Result<Vec<User>, StoreError>;

    /// Lists up to `limit` accounts with ids greater than `after`, ordered by id. An unreadable row is
    /// returned as [`StoreError::Corrupt`] and does not affect the others.
    fn list(&mut self, after: Option<UserId>, limit: u32) -> Result<Vec<Result<User, StoreError>>, StoreError>;

    /// Enables or disables an account. Returns whether that changed anything. Before you disable an
    /// account, [lock it](crate::SessionRepository::lock_account); then end its sessions in the same
    /// transaction.
    fn set_active(&mut self, id: UserId, is_active: bool) -> Result<bool, StoreError>;

    /// Samples password hashes: splits all ids into `ranges` ranges and returns the hashes of up to
    /// `each` accounts from each range. The cost does not depend on the number of accounts.
    fn sample_passwords(&mut self, ranges: u32, each: u32) -> Result<Vec<PasswordHash>, StoreError>;

    /// Marks an email address as verified at `at` if it is still spelled like `email` and not yet
    /// verified. Returns whether it did.
    fn verify_email(&mut self, id: UserId, email: &EmailAddress, at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Changes the email address to the canonical form of `new`, verified at `at`, if the current one
    /// is still spelled like `expected`.
    fn change_email(
        &mut self,
        id: UserId,
        expected: &EmailAddress,
        new: &EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<EmailChange, StoreError>;
}

/// Stores what proves the owner of an account. Does not find accounts that are marked as deleted. Every
/// method returns [`StoreError`] if the store fails.
pub trait CredentialRepository {
    /// Returns the account with its credentials, or `None` if it does not exist.
    fn owner(&mut self, id: UserId) -> Result<Option<Owner>, StoreError>;

    /// Finds the same accounts as [`find_by_email`](UserRepository::find_by_email), with their
    /// credentials, in one statement.
    fn owners(&mut self, email: &EmailAddress) -> Result<Vec<Owner>, StoreError>;

    /// Returns whether an account is active and has these credentials. Takes a shared lock on its row:
    /// other transactions cannot change or delete the account until this one ends, but can take the
    /// same lock. If you also need [`lock_account`](crate::SessionRepository::lock_account), take that
    /// lock first.
    fn still_current(&mut self, id: UserId, credentials: &Credentials) -> Result<bool, StoreError>;

    /// Replaces credentials if they are still `expected`. Returns whether it did.
    fn replace(&mut self, id: UserId, expected: &Credentials, new: &Credentials) -> Result<bool, StoreError>;
}

/// Outcome of a change of the email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailChange {
    /// Changed.
    Changed,
    /// The account's current address is not the expected one, or the account does not exist.
    Outdated,
    /// Another account has the address, in any spelling.
    Taken,
}
