//! Removes a passkey.

use super::{PasskeyCeremonies, PasskeyConflict, PasskeyError, PasskeyReason};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::UseCaseError;
use crate::mail::Outbox;
use crate::mfa::{StepUp, complete_removal};
use crate::tokens::Authenticated;
use portcullis_domain::mail::Occasion;
use portcullis_domain::passkeys::PasskeyId;
use portcullis_ports::{Store, StoreExt};
use std::sync::Arc;

/// Removes passkeys.
pub struct RemovePasskey {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// RP ID.
    pub ceremonies: Arc<PasskeyCeremonies>,
    /// Outbox for the notice.
    pub outbox: Arc<Outbox>,
    /// `true` to keep the last second factor of each account.
    pub is_required: bool,
}

impl RemovePasskey {
    /// Removes a passkey and notifies the owner. With the last second factor, removes the recovery codes and
    /// ends every other session.
    ///
    /// # Errors
    /// Returns [`PasskeyReason::NotFound`] if the account has no such passkey, and
    /// [`PasskeyConflict::LastSignInMethod`] if it is more than a second factor and no one could sign in without it.
    /// Also if it is the last second factor, and the service requires one.
    pub fn run(&self, session: &Authenticated, id: PasskeyId, caller: &Caller) -> Result<(), PasskeyError> {
        self.ceremonies.party().map_err(PasskeyReason::from)?;
        let (user_id, at) = (session.user.id, self.step_up.clock.now());
        let sessions = self.store.write(|tx| {
            let owner = self.step_up.require(session, tx).map_err(UseCaseError::convert)?;
            let removed = tx.passkeys().remove(user_id, &id)?.ok_or(PasskeyReason::NotFound)?;
            // A second factor signs no one in, so its removal takes no way to sign in.
            if !removed.second_factor && !self.ceremonies.can_sign_in(&owner, tx)? {
                return Err(PasskeyReason::Conflict(PasskeyConflict::LastSignInMethod).into());
            }
            self.outbox.enqueue_notice(Occasion::PasskeyRemoved, &owner.user, &caller.cause(at), tx)?;
            if !removed.second_factor {
                return Ok(0);
            }
            let removal = complete_removal(owner, (&self.outbox, self.is_required), (session, caller), at, tx);
            removal.map_err(UseCaseError::convert)
        })?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user_id.get(), sessions, "Passkey removed");
        Ok(())
    }
}
