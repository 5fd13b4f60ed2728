//! Enables the second factor of an account that gets its first one.

use super::SecondFactor;
use super::recovery_codes::new_codes;
use crate::login::hash_contention;
use portcullis_domain::login::Owner;
use portcullis_domain::mfa::RecoveryCode;
use portcullis_domain::sessions::{KeepSessions, SessionEnd, SessionId};
use portcullis_ports::{StoreError, Tx};
use std::fmt;

/// What the first second factor of an account changed. Redacted in `Debug`.
pub struct Enabled {
    /// New recovery codes.
    pub recovery_codes: Vec<RecoveryCode>,
    /// Number of other sessions that ended.
    pub sessions_ended: u64,
}

impl fmt::Debug for Enabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enabled(…)")
    }
}

impl SecondFactor {
    /// Completes the addition of a second factor to a locked account, as read before: forgets its trusted
    /// devices. The first factor marks its hash, ends its other sessions and comes with recovery codes; returns
    /// `None` if it is not the first one.
    pub(crate) fn enable(
        &self,
        owner: &Owner,
        (keep, session_end): (Option<SessionId>, &SessionEnd),
        tx: &mut dyn Tx,
    ) -> Result<Option<Enabled>, StoreError> {
        let (id, credentials) = (owner.user.id, &owner.credentials);
        tx.factors().forget_devices(id)?;
        if credentials.has_second_factor() {
            return Ok(None);
        }
        if !tx.credentials().replace(id, credentials, &credentials.clone().marked())? {
            return Err(hash_contention());
        }
        let (recovery_codes, digests) = new_codes(&*self.entropy);
        tx.factors().replace_recovery_codes(id, &digests)?;
        let sessions_ended = tx.sessions().end_all(id, &KeepSessions::from(keep), session_end)?;
        Ok(Some(Enabled { recovery_codes, sessions_ended }))
    }
}
