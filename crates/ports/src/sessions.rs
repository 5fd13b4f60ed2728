//! Stored sessions.

use crate::store::{RowCursor, RowRange, StoreError};
use chrono::{DateTime, Utc};
use portcullis_domain::login::Authentication;
use portcullis_domain::registration::{PasswordHash, User, UserId};
use portcullis_domain::sessions::{ClientInfo, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SourceHash};

/// Session as listed for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// Session.
    pub session: Session,
    /// Client of the login, as far as known.
    pub client: ClientInfo,
    /// Time of the last successful use (login or refresh), in UTC.
    pub last_used_at: DateTime<Utc>,
}

/// Account and session named by an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BearerIdentity {
    /// Account.
    pub user_id: UserId,
    /// Session; `None` for an adopted token, issued by an application without sessions.
    pub session_id: Option<SessionId>,
}

/// Account and session found for a [`BearerIdentity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedBearer {
    /// Account.
    pub user: User,
    /// Hash of the account's password, which device cookies are compared with.
    pub password: PasswordHash,
    /// True if the account has a password.
    pub has_password: bool,
    /// True if the account has a second factor.
    pub second_factor: bool,
    /// Session; `None` if the account has no session with this id.
    pub session: Option<Session>,
}

/// Cutoffs for deleting sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCutoffs {
    /// Sessions that ended at or before this time are deleted, in UTC.
    pub ended: DateTime<Utc>,
    /// Sessions that started at or before this time are deleted, ended or not, in UTC.
    pub started: DateTime<Utc>,
}

/// Stores sessions with their timelines. Every method returns [`StoreError`] if the store fails.
///
/// A token stored without a session belongs to the session with the id [`SessionId::for_legacy_token`],
/// if that exists.
pub trait SessionRepository {
    /// Locks the account's row until the transaction ends. Take this lock before you end sessions of
    /// the account, and before you begin a session for an existing token. Such a session is then either
    /// ended with the others or begins afterwards.
    fn lock_account(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Adds a session.
    ///
    /// # Errors
    /// Returns [`StoreError`] also if a session with this id exists.
    fn begin(&mut self, session: &Session, client: &ClientInfo) -> Result<(), StoreError>;

    /// Returns the session, ended or not, or `None` if it does not exist.
    fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Lists up to `limit` sessions of an account that have not ended and started after
    /// `started_after`, newest first.
    fn list(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ListedSession>, StoreError>;

    /// Counts the sessions of an account that have not ended and started after `started_after`, up to
    /// `limit`.
    fn count(&mut self, user_id: UserId, started_after: DateTime<Utc>, limit: u32) -> Result<u32, StoreError>;

    /// Lists up to `limit` sessions of an account that have not ended and started after
    /// `started_after`, least recently used first. Sessions are ordered by when the store recorded
    /// their uses, so clock changes do not affect the order. Sessions never used come first.
    fn least_recently_used(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Returns the clients that began the last `limit` stored sessions of an account, ended or not,
    /// newest first.
    fn recent_clients(&mut self, user_id: UserId, limit: u32) -> Result<Vec<ClientInfo>, StoreError>;

    /// Returns whether any stored session, ended or not, began from this source. Does the same work in
    /// either case.
    fn knows_source(&mut self, source: &SourceHash) -> Result<bool, StoreError>;

    /// Ends a session, revokes its live token and records the end in its timeline. Returns false if it
    /// had already ended: exactly one concurrent caller gets true.
    fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> Result<bool, StoreError>;

    /// Ends all sessions of an account except those to keep. Returns how many it ended. Live tokens
    /// without a session are revoked and counted as well.
    fn end_all(&mut self, user_id: UserId, keep: &KeepSessions, session_end: &SessionEnd) -> Result<u64, StoreError>;

    /// Replaces the last authentication of a session's user. Returns whether the session exists and has not
    /// ended.
    fn reauthenticate(&mut self, id: SessionId, by: &Authentication) -> Result<bool, StoreError>;

    /// Adds an event to a session's timeline, if the session exists. Of each repeatable kind, only the
    /// first [`MAX_EVENTS_PER_KIND`](portcullis_domain::sessions::EventKind::MAX_EVENTS_PER_KIND) are
    /// stored.
    fn record(&mut self, id: SessionId, event: &SessionEvent) -> Result<(), StoreError>;

    /// Returns the last `limit` events of a session, newest first.
    fn events(&mut self, id: SessionId, limit: u32) -> Result<Vec<SessionEvent>, StoreError>;

    /// Finds the account and session of each identity, in the order given. An element is `None` if the
    /// account does not exist.
    fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError>;

    /// Scans up to `limit` sessions after a cursor, in the store's own order, and counts those past the
    /// cutoffs. Returns `None` if there are no more sessions.
    fn scan(&mut self, after: RowCursor, limit: u32, dead: &SessionCutoffs) -> Result<Option<RowRange>, StoreError>;

    /// Deletes up to `limit` rows of sessions in the range that are past the cutoffs. Deletes the
    /// events of a session before the session itself. Returns the number of deleted rows.
    fn purge(&mut self, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Result<u64, StoreError>;
}
