//! What is kept of accounts.

use crate::deletion::UserDeletion;
use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};

/// The accounts. Those that are being deleted are none.
pub trait UserRepository: UserDeletion {
    /// Adds an account; `None` where its canonical address is taken, by any spelling.
    ///
    /// # Errors
    /// [`StoreError`].
    fn insert(&mut self, new: &NewUser) -> Result<Option<User>, StoreError>;

    /// The account with that number.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// All accounts whose address has that canonical form: one, or several where adopted
    /// addresses differ by case alone. A row that cannot be read is logged and left out.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find_by_email(&mut self, email: &EmailAddress) -> Result<Vec<User>, StoreError>;

    /// Lists up to `limit` accounts with ids beyond `after`, in the order of their ids. A row that
    /// cannot be read is a [`StoreError::Corrupt`] in its place, and costs no other.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&mut self, after: Option<UserId>, limit: u32) -> Result<Vec<Result<User, StoreError>>, StoreError>;

    /// Switches an account on or off; whether that changed anything. Its sessions are left to the
    /// caller, who holds the account ([`lock_account`](crate::SessionRepository::lock_account)).
    ///
    /// # Errors
    /// [`StoreError`].
    fn set_active(&mut self, id: UserId, is_active: bool) -> Result<bool, StoreError>;

    /// Whether an account is active and has that hash. Whoever would change either, or delete it,
    /// waits until the end of this transaction, and finds what it did; others who ask do not wait.
    /// Whoever [holds](crate::SessionRepository::lock_account) the account as well does that first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn password_still_current(&mut self, id: UserId, password: &PasswordHash) -> Result<bool, StoreError>;

    /// Returns hashes of up to `each` accounts from each of `ranges` ranges of ids, which cover all
    /// of them. Takes as long for a million accounts as for a few.
    ///
    /// # Errors
    /// [`StoreError`].
    fn sample_passwords(&mut self, ranges: u32, each: u32) -> Result<Vec<PasswordHash>, StoreError>;

    /// Replaces a hash by another, if it is still the one that was read; whether it was.
    ///
    /// # Errors
    /// [`StoreError`].
    fn replace_password(&mut self, id: UserId, expected: &PasswordHash, new: &PasswordHash)
    -> Result<bool, StoreError>;

    /// Marks an account's address as verified at `at`, if it is still spelled so and was not
    /// verified before; whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn verify_email(&mut self, id: UserId, email: &EmailAddress, at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Gives an account another address, in its canonical form and verified at `at`, if the one
    /// that it has is still spelled as it was read.
    ///
    /// # Errors
    /// [`StoreError`].
    fn change_email(
        &mut self,
        id: UserId,
        expected: &EmailAddress,
        new: &EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<EmailChange, StoreError>;
}

/// What became of a change of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailChange {
    /// The account has it now.
    Changed,
    /// The account has another address than was read, or there is no such account.
    Outdated,
    /// Another account has it, by any spelling.
    Taken,
}
