//! Lists the active sessions of an account.

use super::SessionError;
use crate::tokens::Authenticated;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{SessionId, SessionPolicy};
use portcullis_ports::{Clock, ListedSession, Store, StoreExt};
use std::sync::Arc;

/// How many are told at most: more than an account may have.
const MAX_LISTED: u32 = 1000;

/// The active sessions of an account, newest first.
#[derive(Debug)]
pub struct SessionsListed(pub Vec<OwnSession>);

/// A session, as its owner sees it.
#[derive(Debug)]
pub struct OwnSession {
    /// What is kept of it.
    pub listed: ListedSession,
    /// When it is too old, in UTC.
    pub expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The verb.
pub struct ListSessions {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// How long they last.
    pub sessions: SessionPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl ListSessions {
    /// Lists them.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub fn run(&self, owner: &Authenticated) -> Result<SessionsListed, SessionError> {
        self.list(owner.user.id, owner.session_id)
    }

    /// Lists them to an operator, whose own none of them is.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub fn for_user(&self, user_id: UserId) -> Result<SessionsListed, SessionError> {
        self.list(user_id, None)
    }

    fn list(&self, user_id: UserId, current: Option<SessionId>) -> Result<SessionsListed, SessionError> {
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
