//! Switches accounts off and on. One that is off neither signs in nor refreshes, and whoever was
//! signed in is out at once.

use super::AccountError;
use crate::LOG;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Which account is to be switched off.
#[derive(Debug)]
pub struct AccountSuspension {
    /// The account.
    pub user_id: UserId,
    /// From where.
    pub client: ClientInfo,
}

/// The account is off, and may have been before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountDisabled {
    /// Whether it was on.
    pub changed: bool,
    /// How many sessions were ended.
    pub sessions: u64,
}

/// The verb that switches off.
pub struct DisableAccount {
    /// Where accounts and sessions are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl DisableAccount {
    /// Switches the account off and ends its sessions, in one transaction. A login or a first
    /// exchange that is under way is among what ends, or finds it off.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn run(&self, input: &AccountSuspension) -> Result<AccountDisabled, AccountError> {
        let (user_id, client) = (input.user_id, input.client.clone());
        let session_end = SessionEnd { at: self.clock.now(), reason: EndReason::Disabled, client };
        let done = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.users().find(user_id)?.ok_or(AccountError::NotFound)?;
            let changed = tx.users().set_active(user_id, false)?;
            let sessions = tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)?;
            Ok::<_, AccountError>(AccountDisabled { changed, sessions })
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = done.sessions, "Account disabled");
        Ok(done)
    }
}

/// The account is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountEnabled {
    /// Whether it was off.
    pub changed: bool,
}

/// The verb that switches on.
pub struct EnableAccount {
    /// Where accounts are kept.
    pub store: Arc<dyn Store>,
}

impl EnableAccount {
    /// Switches the account on. What was signed in before stays out: its sessions have ended.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn run(&self, user_id: UserId) -> Result<AccountEnabled, AccountError> {
        let changed = self.store.write(|tx| {
            tx.users().find(user_id)?.ok_or(AccountError::NotFound)?;
            Ok::<_, AccountError>(tx.users().set_active(user_id, true)?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), "Account enabled");
        Ok(AccountEnabled { changed })
    }
}
