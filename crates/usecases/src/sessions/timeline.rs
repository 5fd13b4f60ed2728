//! Tells what happened to a session, to its owner.

use super::SessionError;
use crate::tokens::Authenticated;
use portcullis_domain::sessions::{SessionEvent, SessionId};
use portcullis_ports::{Store, StoreExt};
use std::sync::Arc;

/// How many events are told at most.
const MAX_EVENTS: u32 = 500;

/// The events of a session, newest first.
#[derive(Debug)]
pub struct TimelineRead(pub Vec<SessionEvent>);

/// The verb.
pub struct ReadTimeline {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
}

impl ReadTimeline {
    /// Reads the newest events, also of a session that has ended, as long as it is kept.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn run(&self, owner: &Authenticated, session_id: SessionId) -> Result<TimelineRead, SessionError> {
        self.store.read(|tx| {
            let found = tx.sessions().find(session_id)?;
            found.filter(|session| session.user_id == owner.user.id).ok_or(SessionError::NotFound)?;
            Ok(TimelineRead(tx.sessions().events(session_id, MAX_EVENTS)?))
        })
    }
}
