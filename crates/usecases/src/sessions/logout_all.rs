//! Ends all sessions of an account, or all but the current one.

use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::tokens::Authenticated;
use portcullis_domain::sessions::{EndReason, KeepSessions};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Input of a logout from all sessions.
#[derive(Debug)]
pub struct LogoutAll {
    /// Authenticated user whose sessions end.
    pub owner: Authenticated,
    /// `true` to keep the session of the request.
    pub keep_current: bool,
}

/// Number of ended sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedOutAll(pub u64);

/// Ends all sessions of a user, or all but the current one.
pub struct LogOutAll {
    /// Store of sessions.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl LogOutAll {
    /// Ends the sessions, including those of adopted tokens that were not refreshed yet, and forgets the
    /// trusted devices.
    pub fn run(&self, input: &LogoutAll, caller: &Caller) -> Result<LoggedOutAll, DependencyError> {
        let user_id = input.owner.user.id;
        let keep = KeepSessions::from(input.owner.session_id.filter(|_| input.keep_current));
        let session_end = caller.session_end(EndReason::LogOut, self.clock.now());
        let ended = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.factors().forget_devices(user_id)?;
            tx.sessions().end_all(user_id, &keep, &session_end)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = ended, "User logged out everywhere");
        Ok(LoggedOutAll(ended))
    }
}
