//! Lists the active sessions of an account.

use crate::failure::DependencyError;
use crate::tokens::Authenticated;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{SessionId, SessionPolicy};
use portcullis_ports::{Clock, ListedSession, Store, StoreExt};
use std::sync::Arc;

/// Maximum number of listed sessions. More than an account may have.
const MAX_LISTED: u32 = 1000;

/// The active sessions of an account, newest first.
#[derive(Debug)]
pub struct SessionsListed(pub Vec<OwnSession>);

/// A session, as displayed to its owner.
#[derive(Debug)]
pub struct OwnSession {
    /// The stored session.
    pub listed: ListedSession,
    /// Time at which the session reaches its maximum age, in UTC.
    pub expires_at: DateTime<Utc>,
    /// `true` if the request came from this session.
    pub current: bool,
}

/// Lists the active sessions of an account.
pub struct ListSessions {
    /// Store of sessions.
    pub store: Arc<dyn Store>,
    /// Maximum age of sessions.
    pub sessions: SessionPolicy,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl ListSessions {
    /// Lists the sessions of the authenticated user.
    pub fn run(&self, owner: &Authenticated) -> Result<SessionsListed, DependencyError> {
        self.list(owner.user.id, owner.session_id)
    }

    /// Lists the sessions of an account for an operator. None of them is marked as current.
    pub fn for_user(&self, user_id: UserId) -> Result<SessionsListed, DependencyError> {
        self.list(user_id, None)
    }

    fn list(&self, user_id: UserId, current: Option<SessionId>) -> Result<SessionsListed, DependencyError> {
        let started_after = self.sessions.max_age_cutoff(self.clock.now());
        let listed = self.store.read(|tx| tx.sessions().list(user_id, started_after, MAX_LISTED))?;
        let own = listed.into_iter().map(|listed| OwnSession {
            expires_at: self.sessions.expires_at(&listed.session),
            current: Some(listed.session.id) == current,
            listed,
        });
        Ok(SessionsListed(own.collect()))
    }
}
