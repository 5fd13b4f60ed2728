//! Ends one session of an account, at its owner's wish.

use super::SessionError;
use crate::LOG;
use crate::tokens::Authenticated;
use portcullis_domain::sessions::{EndReason, Ending, Origin, SessionId};
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
    pub origin: Origin,
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
        let user_id = input.owner.user.id;
        let ending = Ending { at: self.clock.now(), reason: EndReason::Revoked, origin: input.origin.clone() };
        let ended = self.store.write(|tx| {
            tx.sessions().hold(user_id)?;
            let found = tx.sessions().find(input.session_id)?;
            found.filter(|session| session.user_id == user_id).ok_or(SessionError::NotFound)?;
            Ok::<_, SessionError>(tx.sessions().end(input.session_id, &ending)?)
        })?;
        if ended {
            tracing::info!(target: LOG, user_id = user_id.get(), session_id = %input.session_id, "Session revoked");
        }
        Ok(SessionRevoked)
    }
}
