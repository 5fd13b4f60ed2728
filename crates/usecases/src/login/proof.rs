//! Repeats the check of a password if the credentials change before its result is used.

use portcullis_domain::login::Owner;
use portcullis_domain::registration::UserId;
use portcullis_ports::{Store, StoreError, StoreExt};

/// Maximum number of password checks while other requests replace the hash.
pub(crate) const MAX_ATTEMPTS: usize = 3;

/// Result of one attempt.
pub(super) enum Attempted<T> {
    Done(T),
    /// The credentials of this account are no longer those that were read. Nothing has changed.
    Outdated(UserId),
}

/// Calls `attempt` with an owner as read, and again with the owner as read then while it is outdated.
pub(super) fn while_it_changes<T, E: From<StoreError>>(
    store: &dyn Store,
    first: Option<Owner>,
    mut attempt: impl FnMut(Option<Owner>) -> Result<Attempted<T>, E>,
) -> Result<T, E> {
    let mut owner = first;
    for _ in 0..MAX_ATTEMPTS {
        match attempt(owner)? {
            Attempted::Done(done) => return Ok(done),
            Attempted::Outdated(id) => owner = store.read(|tx| tx.credentials().owner(id))?,
        }
    }
    Err(hash_contention().into())
}

/// Creates the error for an account whose hash changed in every attempt.
pub(crate) fn hash_contention() -> StoreError {
    StoreError::Busy("the password hash changed whenever it was looked at".to_owned())
}
