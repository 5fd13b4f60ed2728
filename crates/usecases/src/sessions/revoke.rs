//! Ends sessions of an account, at its owner's wish or an operator's.

use super::SessionError;
use crate::LOG;
use crate::tokens::Authenticated;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{ClientInfo, EndReason, KeepSessions, SessionEnd, SessionId};
use portcullis_ports::{Clock, Store, StoreExt};
use std::sync::Arc;

/// Which session is to end.
#[derive(Debug)]
pub struct SessionRevocation {
    /// The session.
    pub session_id: SessionId,
    /// Who wants it to.
    pub owner: Authenticated,
    /// From where.
    pub client: ClientInfo,
}

/// The session is ended, and may have been before.
#[derive(Debug)]
pub struct SessionRevoked;

/// The verb.
pub struct RevokeSession {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl RevokeSession {
    /// Ends the session. One that has ended is no error: the answer to the call that ended it may
    /// be lost.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn run(&self, input: &SessionRevocation) -> Result<SessionRevoked, SessionError> {
        self.end(input.session_id, Some(input.owner.user.id), &input.client).map(|_| SessionRevoked)
    }

    /// Ends a session, whosever it is, at an operator's wish; whether it had not ended.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn by_operator(&self, id: SessionId, client: &ClientInfo) -> Result<bool, SessionError> {
        self.end(id, None, client)
    }

    /// Ends every session of an account, at an operator's wish; how many there were.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub fn all_for_user(&self, user_id: UserId, client: &ClientInfo) -> Result<u64, SessionError> {
        let session_end = self.session_end(client);
        let ended = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.sessions().end_all(user_id, &KeepSessions::default(), &session_end)
        })?;
        tracing::info!(target: LOG, user_id = user_id.get(), sessions = ended, "Sessions revoked");
        Ok(ended)
    }

    fn session_end(&self, client: &ClientInfo) -> SessionEnd {
        SessionEnd { at: self.clock.now(), reason: EndReason::Revoked, client: client.clone() }
    }

    /// Ends a session, of that owner if one is given. A session never changes its owner.
    fn end(&self, id: SessionId, owner: Option<UserId>, client: &ClientInfo) -> Result<bool, SessionError> {
        let session_end = self.session_end(client);
        let (user_id, ended) = self.store.write(|tx| {
            let user_id = match owner {
                Some(owner) => owner,
                None => tx.sessions().find(id)?.ok_or(SessionError::NotFound)?.user_id,
            };
            tx.sessions().lock_account(user_id)?;
            let found = tx.sessions().find(id)?;
            found.filter(|session| session.user_id == user_id).ok_or(SessionError::NotFound)?;
            Ok::<_, SessionError>((user_id, tx.sessions().end(id, &session_end)?))
        })?;
        if ended {
            tracing::info!(target: LOG, user_id = user_id.get(), session_id = %id, "Session revoked");
        }
        Ok(ended)
    }
}
