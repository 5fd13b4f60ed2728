//! What is kept of one-time tokens.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{OneTimeTokenRecord, PasswordVersion, TokenDigest};

/// The one-time tokens that were made and not consumed.
pub trait OneTimeTokenRepository {
    /// Adds a token, in the place of the one that its account had for that purpose. Those to undo
    /// a change of address are told apart by the address as well.
    ///
    /// # Errors
    /// [`StoreError`].
    fn upsert(&mut self, record: &OneTimeTokenRecord) -> Result<(), StoreError>;

    /// Has a token be good until another moment; whether it is still there.
    ///
    /// # Errors
    /// [`StoreError`].
    fn extend(&mut self, digest: TokenDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// The token with that digest, expired or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&mut self, digest: TokenDigest) -> Result<Option<OneTimeTokenRecord>, StoreError>;

    /// Removes a token; whether it was there. Of any number of callers exactly one is told so.
    ///
    /// # Errors
    /// [`StoreError`].
    fn consume(&mut self, digest: TokenDigest) -> Result<bool, StoreError>;

    /// Removes the tokens of an account that do not
    /// [outlive changes](portcullis_domain::verification::Purpose::survives_credential_change) of its
    /// password or its address.
    ///
    /// # Errors
    /// [`StoreError`].
    fn revoke_all(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Binds the tokens of an account that are bound to one password to another: the same password,
    /// hashed anew.
    ///
    /// # Errors
    /// [`StoreError`].
    fn rebind(&mut self, user_id: UserId, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError>;

    /// Removes every token of the account of an undo but those to undo an earlier change, which
    /// expire before it does. Whoever took an account over and changes its address twice does not
    /// get rid of its first owner by undoing the second change.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_superseded(&mut self, undo: &OneTimeTokenRecord) -> Result<(), StoreError>;

    /// Removes every token of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Whose address it may become again: the account that holds a token, good at `now`, to undo
    /// its change from that address, by any spelling.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find_reclaimer(&mut self, email: &EmailAddress, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError>;

    /// Deletes up to `limit` tokens that expired at `cutoff` or before; how many it deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}
