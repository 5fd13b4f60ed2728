//! Ends every session of an account, or every other.

use super::SessionError;
use crate::LOG;
use crate::tokens::Authenticated;
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Which sessions are to end.
#[derive(Debug)]
pub struct LogoutAll {
    /// Whose.
    pub owner: Authenticated,
    /// Whether the one that asks is spared.
    pub keep_current: bool,
    /// From where.
    pub client: ClientInfo,
}

/// How many sessions were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedOutAll(pub u64);

/// The verb.
pub struct LogOutAll {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl LogOutAll {
    /// Ends them, those too that were adopted and not used since.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub fn run(&self, input: &LogoutAll) -> Result<LoggedOutAll, SessionError> {
        let user_id = input.owner.user.id;
        let keep = KeepSessions::from(input.owner.session_id.filter(|_| input.keep_current));
        let session_end = SessionEnd { at: self.clock.now(), reason: EndReason::LogOut, client: input.client.clone() };
        let ended = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.sessions().end_all(user_id, &keep, &session_end)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = ended, "User logged out everywhere");
        Ok(LoggedOutAll(ended))
    }
}
