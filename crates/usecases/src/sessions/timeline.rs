//! Reads the timeline of a session, for its owner.

use super::{NoSuchSession, SessionError};
use crate::tokens::Authenticated;
use portcullis_domain::sessions::{SessionEvent, SessionId};
use portcullis_ports::{Store, StoreExt};
use std::sync::Arc;

/// Maximum number of events returned.
const MAX_EVENTS: u32 = 500;

/// The events of a session, newest first.
#[derive(Debug)]
pub struct TimelineRead(pub Vec<SessionEvent>);

/// Reads the timeline of a session.
pub struct ReadTimeline {
    /// Store of sessions.
    pub store: Arc<dyn Store>,
}

impl ReadTimeline {
    /// Returns the newest events. The timeline of an ended session is available until a purge deletes
    /// the session.
    pub fn run(&self, owner: &Authenticated, session_id: SessionId) -> Result<TimelineRead, SessionError> {
        self.store.read(|tx| {
            let found = tx.sessions().find(session_id)?;
            found.filter(|session| session.user_id == owner.user.id).ok_or(NoSuchSession)?;
            Ok(TimelineRead(tx.sessions().events(session_id, MAX_EVENTS)?))
        })
    }
}
