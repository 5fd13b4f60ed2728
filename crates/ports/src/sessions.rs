//! What is kept of sessions.

use crate::store::{RowCursor, RowRange, StoreError};
use chrono::{DateTime, Utc};
use portcullis_domain::registration::{User, UserId};
use portcullis_domain::sessions::{ClientInfo, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SourceHash};

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The session.
    pub session: Session,
    /// From where it began, as far as is known.
    pub client: ClientInfo,
    /// When it was last used and not refused, in UTC: at its login, or a refresh.
    pub last_used_at: DateTime<Utc>,
}

/// What the claims of a bearer's token name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BearerIdentity {
    /// The account.
    pub user_id: UserId,
    /// The session; none in a token of a program that knows no sessions.
    pub session_id: Option<SessionId>,
}

/// What a [`BearerIdentity`] stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedBearer {
    /// The account.
    pub user: User,
    /// The session with that identifier, if that account has it.
    pub session: Option<Session>,
}

/// Which sessions are no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCutoffs {
    /// Those that were ended at this moment or before, in UTC.
    pub ended: DateTime<Utc>,
    /// Those that started at this moment or before, ended or not, in UTC.
    pub started: DateTime<Utc>,
}

/// The sessions, each with its timeline.
///
/// A token that was stored without a session belongs to the one that bears its identifier
/// ([`SessionId::for_legacy_token`]), if there is one.
pub trait SessionRepository {
    /// Has whoever else holds the same account wait until the end of this transaction. Whoever
    /// ends sessions holds their account first, and whoever begins one for a token that is there
    /// already: it is then either among those that are ended, or begins afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    fn lock_account(&mut self, user_id: UserId) -> Result<(), StoreError>;

    /// Adds a session of an account.
    ///
    /// # Errors
    /// [`StoreError`], also where there is one with that identifier.
    fn begin(&mut self, session: &Session, client: &ClientInfo) -> Result<(), StoreError>;

    /// The session with that identifier, ended or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Up to `limit` sessions of an account that were not ended and started after `started_after`,
    /// newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ListedSession>, StoreError>;

    /// How many sessions of an account were not ended and started after `started_after`; of more
    /// than `limit` it counts so many.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count(&mut self, user_id: UserId, started_after: DateTime<Utc>, limit: u32) -> Result<u32, StoreError>;

    /// Of those the `limit` that were not used for longest, in the order in which uses were
    /// recorded: no clock that was set has a say. One that was never used comes before all others.
    ///
    /// # Errors
    /// [`StoreError`].
    fn least_recently_used(
        &mut self,
        user_id: UserId,
        started_after: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// From where the last `limit` sessions of an account began, newest first: of all that are kept,
    /// ended or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn recent_clients(&mut self, user_id: UserId, limit: u32) -> Result<Vec<ClientInfo>, StoreError>;

    /// Returns whether any session that is kept, ended or not, began from that source. Takes the same
    /// work either way.
    ///
    /// # Errors
    /// [`StoreError`].
    fn knows_source(&mut self, source: &SourceHash) -> Result<bool, StoreError>;

    /// Ends a session that was not ended, revokes its live token and puts the end on its
    /// timeline; whether it did. Of any number of callers exactly one is told so.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end(&mut self, id: SessionId, session_end: &SessionEnd) -> Result<bool, StoreError>;

    /// Ends every session of an account but those that are spared; how many there were. Live tokens
    /// of no session yet are revoked, and count.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_all(&mut self, user_id: UserId, keep: &KeepSessions, session_end: &SessionEnd) -> Result<u64, StoreError>;

    /// Puts an event on a session's timeline, if there is such a session. Of a kind that can come
    /// again and again it keeps the first
    /// [`MAX_EVENTS_PER_KIND`](portcullis_domain::sessions::EventKind::MAX_EVENTS_PER_KIND).
    ///
    /// # Errors
    /// [`StoreError`].
    fn record(&mut self, id: SessionId, event: &SessionEvent) -> Result<(), StoreError>;

    /// The last `limit` events of a session, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn events(&mut self, id: SessionId, limit: u32) -> Result<Vec<SessionEvent>, StoreError>;

    /// What each of the keys stands for, in their order; none where there is no such account.
    ///
    /// # Errors
    /// [`StoreError`].
    fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError>;

    /// Looks at up to `limit` sessions beyond `after`, in the store's own order, and counts those
    /// that are no longer kept; `None` where there are no more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn scan(&mut self, after: RowCursor, limit: u32, dead: &SessionCutoffs) -> Result<Option<RowRange>, StoreError>;

    /// Deletes up to `limit` rows of a stretch's sessions that are no longer kept, the events of
    /// a session before the session; how many it deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn purge(&mut self, range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Result<u64, StoreError>;
}
