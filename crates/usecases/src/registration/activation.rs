//! Disables and enables accounts. A disabled account can neither log in nor refresh, and its sessions
//! end at once.

use super::{AccountError, AccountReason};
use crate::LOG;
use crate::caller::Caller;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// The account is disabled, now or earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountDisabled {
    /// `true` if the account was enabled before.
    pub changed: bool,
    /// Number of ended sessions.
    pub sessions: u64,
}

/// Disables an account.
pub struct DisableAccount {
    /// Store of accounts and sessions.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl DisableAccount {
    /// Disables the account, ends its sessions and forgets its trusted devices, in one transaction. A concurrent login or first
    /// refresh of an adopted token either ends with them or finds the account disabled.
    pub fn run(&self, user_id: UserId, caller: &Caller) -> Result<AccountDisabled, AccountError> {
        let session_end = caller.session_end(EndReason::Disabled, self.clock.now());
        let done = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.users().find(user_id)?.ok_or(AccountReason::NotFound)?;
            let changed = tx.users().set_active(user_id, false)?;
            tx.factors().forget_devices(user_id)?;
            let sessions = tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)?;
            Ok::<_, AccountError>(AccountDisabled { changed, sessions })
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = done.sessions, "Account disabled");
        Ok(done)
    }
}

/// The account is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountEnabled {
    /// `true` if the account was disabled before.
    pub changed: bool,
}

/// Enables an account.
pub struct EnableAccount {
    /// Store of accounts.
    pub store: Arc<dyn Store>,
}

impl EnableAccount {
    /// Enables the account. Its former sessions stay ended.
    pub fn run(&self, user_id: UserId) -> Result<AccountEnabled, AccountError> {
        let changed = self.store.write(|tx| {
            tx.users().find(user_id)?.ok_or(AccountReason::NotFound)?;
            Ok::<_, AccountError>(tx.users().set_active(user_id, true)?)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), "Account enabled");
        Ok(AccountEnabled { changed })
    }
}
