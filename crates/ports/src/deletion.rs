//! Deleting accounts. One may have hundreds of thousands of rows, and nobody who writes beside it
//! shall wait for all of them: first it is gone for everybody, then its rows go, a few at a time.

use crate::store::StoreError;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;

/// The accounts, as far as they are deleted. In the order of the methods, each in a transaction of
/// its own; whoever breaks off may go on anywhere later.
pub trait UserDeletion {
    /// Begins to delete an account: from the end of the transaction on it is inactive for ever,
    /// its address is free, its password is forgotten, and no method but those of this trait finds
    /// it. Whether there was one that was not being deleted yet.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_deleted(&mut self, id: UserId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Up to `limit` accounts that are being deleted, those first that have been for longest.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list_marked_deleted(&mut self, limit: u32) -> Result<Vec<UserId>, StoreError>;

    /// Deletes up to `limit` rows that belong to an account that is being deleted: refresh tokens,
    /// then sessions with their timelines, and one-time tokens and mails. How many it deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_owned_rows(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError>;

    /// Deletes the row of an account that is being deleted, if nothing else is left of it; returns
    /// what is left. Backoff until every transaction that has begun to write for that account has
    /// ended. An account that another program's table refers to comes last from then on in
    /// [`list_marked_deleted`](Self::list_marked_deleted).
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete_row_if_empty(&mut self, id: UserId, now: DateTime<Utc>) -> Result<Remains, StoreError>;
}

/// What is left of an account that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// Nothing; or it was not being deleted.
    Nothing,
    /// Rows that belong to it.
    Rows,
    /// Its own row, without email and password: a table of another program refers to it.
    Referenced {
        /// That table, as far as the database tells.
        by: String,
    },
}
