//! Account deletion in small steps. An account may have hundreds of thousands of rows, and other
//! writers must not wait for all of them: the account is marked first, then its rows are deleted in
//! batches.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;

/// Deletes accounts. Call the methods in the order given here, each in its own transaction. An
/// interrupted deletion can continue at any later time. Every method returns [`StoreError`] if the
/// store fails.
pub trait UserDeletion {
    /// Marks an account as deleted. From the commit on, it is permanently inactive, its email address
    /// is free, its password hash is erased, and only the methods of this trait find it. Returns
    /// whether an account existed that was not marked yet.
    fn mark_deleted(&mut self, id: UserId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Lists up to `limit` accounts marked as deleted, the earliest first.
    fn list_marked_deleted(&mut self, limit: u32) -> Result<Vec<UserId>, StoreError>;

    /// Deletes up to `limit` rows of a marked account: refresh tokens, then sessions with their
    /// timelines, one-time tokens, emails, second factors, identities and sign-in codes. Returns the
    /// number of deleted rows.
    fn delete_owned_rows(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError>;

    /// Deletes the row of a marked account if nothing else is left of it. Returns what is left. Waits
    /// until all transactions that are writing for this account have ended. An account that another
    /// application's table references then moves to the end of
    /// [`list_marked_deleted`](Self::list_marked_deleted).
    fn delete_row_if_empty(&mut self, id: UserId, now: DateTime<Utc>) -> Result<Remains, StoreError>;
}

/// Data that is left of an account marked as deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// Nothing, or the account was not marked.
    Nothing,
    /// Rows that belong to the account.
    Rows,
    /// Only the account's own row, without email and password: another application's table references
    /// it.
    Referenced {
        /// Name of that table, as far as the database reports it.
        by: String,
    },
}
