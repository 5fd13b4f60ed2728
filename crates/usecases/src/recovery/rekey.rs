//! A new password, and what ends with the old one.

use portcullis_domain::login::Owner;
use portcullis_domain::registration::PasswordHash;
use portcullis_domain::sessions::{KeepSessions, SessionEnd};
use portcullis_ports::{StoreError, Tx};

/// Replaces the hash of a locked account, ends its sessions, revokes its links and forgets its trusted
/// devices. Returns the number of ended sessions, or `None` if the hash is not the one that was read;
/// nothing has changed then. A concurrent login with the old password is either ended or finds another hash.
pub(crate) fn rekey(
    owner: &Owner,
    new: &PasswordHash,
    (keep, session_end): (&KeepSessions, &SessionEnd),
    tx: &mut dyn Tx,
) -> Result<Option<u64>, StoreError> {
    let Owner { user, credentials } = owner;
    if !tx.credentials().replace(user.id, credentials, &credentials.clone().with_hash(new.clone()))? {
        return Ok(None);
    }
    let sessions_ended = tx.sessions().end_all(user.id, keep, session_end)?;
    tx.one_time_tokens().revoke_all(user.id)?;
    tx.factors().forget_devices(user.id)?;
    Ok(Some(sessions_ended))
}
