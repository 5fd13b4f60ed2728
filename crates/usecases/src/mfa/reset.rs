//! Removes the second factors of an account whose owner lost them. For operators.

use super::remove::remove_factors;
use crate::LOG;
use crate::caller::Caller;
use crate::mail::Outbox;
use crate::registration::{AccountError, AccountReason};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Result of [`ResetMfa`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MfaReset {
    /// `true` if the account had a second factor.
    pub changed: bool,
    /// Number of sessions that ended.
    pub sessions_ended: u64,
}

/// Removes the second factors, recovery codes and trusted devices of an account, ends its sessions and
/// notifies the owner.
pub struct ResetMfa {
    /// Store of the factors.
    pub store: Arc<dyn Store>,
    /// Outbox for the notice.
    pub outbox: Arc<Outbox>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl ResetMfa {
    /// Removes the factors. Does nothing if the account has none.
    ///
    /// # Errors
    /// Returns [`AccountReason::NotFound`] if the account does not exist.
    pub fn run(&self, user_id: UserId) -> Result<MfaReset, AccountError> {
        let (caller, at) = (Caller::default(), self.clock.now());
        let reset = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            let owner = tx.credentials().owner(user_id)?.ok_or(AccountReason::NotFound)?;
            if !owner.credentials.has_second_factor() && !owner.credentials.is_marked() {
                return Ok(MfaReset { changed: false, sessions_ended: 0 });
            }
            let session_end = caller.session_end(EndReason::MfaReset, at);
            remove_factors(owner, (&self.outbox, &caller.cause(at)), tx)?;
            let sessions_ended = tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)?;
            Ok::<_, AccountError>(MfaReset { changed: true, sessions_ended })
        })?;
        self.outbox.notify_worker();
        let MfaReset { changed, sessions_ended: sessions } = reset;
        tracing::info!(target: LOG, user_id = user_id.get(), changed, sessions, "Second factors removed by an operator");
        Ok(reset)
    }
}
