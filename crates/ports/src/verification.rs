//! Stored one-time tokens.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{OneTimeTokenRecord, PasswordVersion, TokenDigest};

/// Stores one-time tokens until they are used. Every method returns [`StoreError`] if the store fails.
pub trait OneTimeTokenRepository {
    /// Adds a token and replaces the account's token for the same purpose. Tokens to undo a change of
    /// the email address are replaced only by one for the same address.
    fn upsert(&mut self, record: &OneTimeTokenRecord) -> Result<(), StoreError>;

    /// Changes the expiry of a token. Returns whether the token still exists.
    fn extend(&mut self, digest: TokenDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Returns the token, expired or not, or `None` if it does not exist.
    fn find(&mut self, digest: TokenDigest) -> Result<Option<OneTimeTokenRecord>, StoreError>;

    /// Deletes a token. Returns whether it existed: exactly one concurrent caller succeeds.
    fn consume(&mut self, digest: TokenDigest) -> Result<bool, StoreError>;

    /// Deletes the tokens of an account that do not [survive a
    /// change](portcullis_domain::verification::Purpose::survives_credential_change) of the password or
    /// email address.
    fn revoke_all(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Replaces password version `old` by `new` in the account's tokens bound to it, because the same
    /// password was rehashed.
    fn rebind(&mut self, user_id: UserId, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError>;

    /// Deletes all tokens of the account except undo tokens of earlier email changes, which expire
    /// before `undo`. An attacker who changes the email address twice and undoes the second change must
    /// not invalidate the owner's token.
    fn delete_superseded(&mut self, undo: &OneTimeTokenRecord) -> Result<(), StoreError>;

    /// Deletes all tokens of an account.
    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Finds the account that can still reclaim this email address with an unexpired undo token.
    /// Case-insensitive. Returns `None` if there is none.
    fn find_reclaimer(&mut self, email: &EmailAddress, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError>;

    /// Deletes up to `limit` tokens that expired at or before `cutoff`. Returns the number of deleted
    /// tokens.
    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}
