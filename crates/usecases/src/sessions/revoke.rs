//! Ends sessions of an account, for its owner or an operator.

use super::{NoSuchSession, SessionError};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::tokens::Authenticated;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{EndReason, KeepSessions, SessionId};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Input of a revocation.
#[derive(Debug)]
pub struct SessionRevocation {
    /// Session to end.
    pub session_id: SessionId,
    /// Authenticated user who owns the session.
    pub owner: Authenticated,
}

/// The session has ended, now or earlier.
#[derive(Debug)]
pub struct SessionRevoked;

/// Ends a session of an account.
pub struct RevokeSession {
    /// Store of sessions.
    pub store: Arc<dyn Store>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RevokeSession {
    /// Ends the session. A session that has already ended is no error, because the response to the call
    /// that ended it may have been lost.
    pub fn run(&self, input: &SessionRevocation, caller: &Caller) -> Result<SessionRevoked, SessionError> {
        self.end(input.session_id, Some(input.owner.user.id), caller).map(|_| SessionRevoked)
    }

    /// Ends the session of any account, for an operator. Returns whether it was active.
    pub fn by_operator(&self, id: SessionId, caller: &Caller) -> Result<bool, SessionError> {
        self.end(id, None, caller)
    }

    /// Ends all sessions of an account and forgets its trusted devices, for an operator. Returns the number of
    /// sessions.
    pub fn all_for_user(&self, user_id: UserId, caller: &Caller) -> Result<u64, DependencyError> {
        let session_end = caller.session_end(EndReason::Revoked, self.clock.now());
        let ended = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.factors().forget_devices(user_id)?;
            tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = ended, "Sessions revoked");
        Ok(ended)
    }

    /// Ends a session, of `owner` only if given. A session never changes its owner.
    fn end(&self, id: SessionId, owner: Option<UserId>, caller: &Caller) -> Result<bool, SessionError> {
        let session_end = caller.session_end(EndReason::Revoked, self.clock.now());
        let (user_id, ended) = self.store.write(|tx| {
            let user_id = match owner {
                Some(owner) => owner,
                None => tx.sessions().find(id)?.ok_or(NoSuchSession)?.user_id,
            };
            tx.sessions().lock_account(user_id)?;
            let found = tx.sessions().find(id)?;
            found.filter(|session| session.user_id == user_id).ok_or(NoSuchSession)?;
            Ok::<_, SessionError>((user_id, tx.sessions().end(id, &session_end)?))
        })?;
        if ended {
            tracing::info!(target: LOG, user_id = user_id.get(), session_id = %id, "Session revoked");
        }
        Ok(ended)
    }
}
