//! What diesel has no words for: the end of live tokens, locked in the order in which rotations
//! lock theirs, and events of which only so many are kept.

use super::rows::columns;
use crate::time::{DbTimestamp, UtcTime};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Bool, HasSqlType, Nullable, Text};
use diesel::sqlite::Sqlite;
use portcullis_domain::sessions::{EventKind, KeepSessions, SessionEvent, SessionId};

/// What only one of the databases says.
pub(crate) trait Dialect: Backend {
    /// Has a subquery lock the tokens that it finds, in the order in which rotations lock theirs.
    const ORDER_AND_LOCK: &'static str;
    /// Has whoever would delete the rows that are found wait until the end of the transaction.
    const FOR_KEY_SHARE: &'static str;
    /// Deletes tokens of an account, a number at most.
    const DELETE_TOKENS: &'static str;
    /// Has foreign keys that are checked at the commit by default checked by each statement.
    const CHECK_REFERENCES_AT_ONCE: &'static str;
    /// Names an event within a list of events.
    const EVENT: &'static str;
    /// The same, in the list.
    const EVENT_OF_LIST: &'static str;
}

/// There is one writer.
impl Dialect for Sqlite {
    const ORDER_AND_LOCK: &'static str = " ORDER BY jti";
    const FOR_KEY_SHARE: &'static str = "";
    const DELETE_TOKENS: &'static str =
        "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE user_id = ? LIMIT ?)";
    const CHECK_REFERENCES_AT_ONCE: &'static str = "";
    const EVENT: &'static str = "id";
    const EVENT_OF_LIST: &'static str = "event.id";
}

impl Dialect for Pg {
    /// By their bytes: an adopted identifier may be any text.
    const ORDER_AND_LOCK: &'static str = " ORDER BY jti COLLATE \"C\" FOR UPDATE";
    const FOR_KEY_SHARE: &'static str = " FOR KEY SHARE";
    /// In the order in which rotations lock theirs.
    const DELETE_TOKENS: &'static str = "DELETE FROM refresh_tokens WHERE id IN (SELECT token.id \
        FROM (SELECT id FROM refresh_tokens WHERE user_id = $1 LIMIT $2) AS chosen \
        JOIN refresh_tokens AS token ON token.id = chosen.id ORDER BY token.jti COLLATE \"C\" FOR UPDATE OF token)";
    const CHECK_REFERENCES_AT_ONCE: &'static str = "SET CONSTRAINTS ALL IMMEDIATE";
    const EVENT: &'static str = "(session_id, id)";
    const EVENT_OF_LIST: &'static str = "event.session_id, event.id";
}

/// What tells the sessions that are spared.
pub(super) struct KeepFilter {
    /// Empty, which no session's is, where there is none.
    pub(super) sid: String,
    /// Empty, which no session's is, where there is none.
    pub(super) device: Vec<u8>,
}

impl KeepFilter {
    pub(super) fn new(keep: &KeepSessions) -> Self {
        let device = keep.device.map(|mark| mark.as_bytes().to_vec());
        Self { sid: keep.session.map(|id| id.to_string()).unwrap_or_default(), device: device.unwrap_or_default() }
    }
}

/// Which of an account's live tokens.
pub(super) enum TokenScope {
    /// Those of the session with that number and identifier.
    Of(i64, String),
    /// All but those of sessions that are spared.
    AllBut(KeepFilter),
}

/// Revokes live tokens, and tells of each whether it was one of no session yet that had not
/// expired. Never prepared: it has several shapes, and is rare.
pub(super) struct RevokeLive {
    user_id: i64,
    scope: TokenScope,
    at: DbTimestamp,
}

impl RevokeLive {
    pub(super) fn new(user_id: i64, scope: TokenScope, at: DbTimestamp) -> Self {
        Self { user_id, scope, at }
    }
}

impl Query for RevokeLive {
    type SqlType = Bool;
}

impl QueryId for RevokeLive {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<SqliteConnection> for RevokeLive {}
impl RunQueryDsl<PgConnection> for RevokeLive {}

impl<DB> QueryFragment<DB> for RevokeLive
where
    DB: Dialect + HasSqlType<UtcTime> + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Binary>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    Vec<u8>: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "UPDATE refresh_tokens SET revoked = true WHERE id IN (SELECT id FROM refresh_tokens WHERE user_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.user_id)?;
        out.push_sql(" AND NOT revoked AND ");
        match &self.scope {
            TokenScope::Of(number, sid) => {
                out.push_sql("(session_id = ");
                out.push_bind_param::<BigInt, _>(number)?;
                out.push_sql(" OR (session_id IS NULL AND jti = ");
                out.push_bind_param::<Text, _>(sid)?;
                out.push_sql("))");
            }
            TokenScope::AllBut(keep) => {
                out.push_sql("coalesce(session_id, 0) NOT IN (SELECT id FROM sessions WHERE user_id = ");
                out.push_bind_param::<BigInt, _>(&self.user_id)?;
                out.push_sql(" AND (sid = ");
                out.push_bind_param::<Text, _>(&keep.sid)?;
                out.push_sql(" OR device = ");
                out.push_bind_param::<Binary, _>(&keep.device)?;
                out.push_sql(")) AND (session_id IS NOT NULL OR jti NOT IN (SELECT sid FROM sessions WHERE user_id = ");
                out.push_bind_param::<BigInt, _>(&self.user_id)?;
                out.push_sql(" AND sid = ");
                out.push_bind_param::<Text, _>(&keep.sid)?;
                out.push_sql("))");
            }
        }
        out.push_sql(DB::ORDER_AND_LOCK);
        out.push_sql(") RETURNING session_id IS NULL AND expires_at > ");
        out.push_bind_param::<UtcTime, _>(&self.at)?;
        out.push_sql(" AND NOT EXISTS (SELECT 1 FROM sessions WHERE sid = jti)");
        Ok(())
    }
}

/// Adds an event to the session with an identifier, if there is one.
pub(super) struct Record {
    sid: String,
    at: DbTimestamp,
    kind: EventKind,
    name: &'static str,
    ip_address: Option<String>,
    user_agent: Option<String>,
    most: i64,
}

impl Record {
    pub(super) fn new(id: SessionId, event: &SessionEvent) -> Self {
        let (ip_address, user_agent) = columns(&event.client);
        let most = i64::try_from(EventKind::MAX_EVENTS_PER_KIND).unwrap_or(i64::MAX);
        let (kind, name) = (event.kind, event.kind.as_str());
        Self { sid: id.to_string(), at: DbTimestamp::new(event.at), kind, name, ip_address, user_agent, most }
    }
}

impl QueryId for Record {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<SqliteConnection> for Record {}
impl RunQueryDsl<PgConnection> for Record {}

impl<DB> QueryFragment<DB> for Record
where
    DB: Dialect + HasSqlType<UtcTime> + HasSqlType<BigInt> + HasSqlType<Text>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    &'static str: ToSql<Text, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("INSERT INTO session_events (session_id, at, kind, ip_address, user_agent) SELECT id, ");
        out.push_bind_param::<UtcTime, _>(&self.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.name)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.ip_address)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.user_agent)?;
        out.push_sql(" FROM sessions WHERE sid = ");
        out.push_bind_param::<Text, _>(&self.sid)?;
        if self.kind.is_repeatable() {
            out.push_sql(" AND (SELECT count(*) FROM session_events AS known WHERE known.session_id = sessions.id");
            out.push_sql(" AND known.kind <> 'rotated' AND known.kind = ");
            out.push_bind_param::<Text, _>(&self.name)?;
            out.push_sql(") < ");
            out.push_bind_param::<BigInt, _>(&self.most)?;
        }
        out.push_sql(DB::FOR_KEY_SHARE);
        Ok(())
    }
}
