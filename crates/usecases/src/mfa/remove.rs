//! Removes an authenticator app.

use super::{FactorConflict, MfaError, MfaReason, StepUp};
use crate::LOG;
use crate::caller::Caller;
use crate::login::hash_contention;
use crate::mail::{MailCause, Outbox};
use crate::tokens::Authenticated;
use chrono::{DateTime, Utc};
use portcullis_domain::login::Owner;
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::{FactorId, TotpFactor};
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Removes the second factors, recovery codes and trusted devices of a locked account, and the mark of its hash.
/// Notifies the owner if there was a confirmed app or a passkey. Returns the account with its new credentials.
pub(crate) fn remove_factors(
    owner: Owner,
    (outbox, cause): (&Outbox, &MailCause<'_>),
    tx: &mut dyn Tx,
) -> Result<Owner, StoreError> {
    let (id, credentials) = (owner.user.id, &owner.credentials);
    if tx.factors().remove_all(id)? {
        outbox.enqueue_notice(Occasion::FactorRemoved, &owner.user, cause, tx)?;
    }
    if tx.passkeys().remove_kind(id, true)? > 0 {
        outbox.enqueue_notice(Occasion::PasskeyRemoved, &owner.user, cause, tx)?;
    }
    let unmarked = credentials.clone().unmarked();
    if credentials.is_marked() && !tx.credentials().replace(id, credentials, &unmarked)? {
        return Err(hash_contention());
    }
    Ok(Owner { credentials: unmarked, ..owner })
}

/// Completes the removal of a second factor from a locked account: forgets its trusted devices. If no factor is
/// left, removes the recovery codes and the mark, and ends every other session. Returns their number.
pub(crate) fn complete_removal(
    owner: Owner,
    (outbox, is_required): (&Outbox, bool),
    (session, caller): (&Authenticated, &Caller),
    at: DateTime<Utc>,
    tx: &mut dyn Tx,
) -> Result<u64, MfaError> {
    let user_id = owner.user.id;
    tx.factors().forget_devices(user_id)?;
    if tx.factors().totp(user_id)?.iter().any(TotpFactor::is_confirmed)
        || tx.passkeys().list(user_id)?.iter().any(|passkey| passkey.second_factor)
    {
        return Ok(0);
    }
    if is_required {
        return Err(MfaReason::Conflict(FactorConflict::Required).into());
    }
    let session_end = caller.session_end(EndReason::MfaDisabled, at);
    // Sends no second notice, because no factor is left.
    remove_factors(owner, (outbox, &caller.cause(at)), tx)?;
    Ok(tx.sessions().end_all(user_id, &KeepSessions::from(session.session_id), &session_end)?)
}

/// Removes an authenticator app.
pub struct RemoveTotp {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Outbox for notices to the owner.
    pub outbox: Arc<Outbox>,
    /// `true` to keep the last factor of each account.
    pub is_required: bool,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RemoveTotp {
    /// Removes a confirmed factor. With the last one, removes the recovery codes and ends every other
    /// session.
    ///
    /// # Errors
    /// Returns [`MfaReason::StepUp`] if the session was not authenticated recently, [`MfaReason::NotFound`]
    /// if the account has no such factor, and [`MfaReason::Conflict`] if the last one is required.
    pub fn run(&self, session: &Authenticated, id: FactorId, caller: &Caller) -> Result<(), MfaError> {
        let (user_id, at) = (session.user.id, self.clock.now());
        let sessions = self.store.write(|tx| {
            let owner = self.step_up.require(session, tx)?;
            if !tx.factors().remove_totp(user_id, &id)? {
                return Err(MfaReason::NotFound.into());
            }
            self.outbox.enqueue_notice(Occasion::FactorRemoved, &owner.user, &caller.cause(at), tx)?;
            complete_removal(owner, (&self.outbox, self.is_required), (session, caller), at, tx)
        })?;
        self.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user_id.get(), sessions, "Second factor removed");
        Ok(())
    }
}
