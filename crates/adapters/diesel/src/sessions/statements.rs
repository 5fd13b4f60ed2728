//! Statements that diesel cannot express: revoking live tokens, locked in the same order as rotations
//! lock theirs, and adding events up to a maximum per kind.

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

/// SQL that differs between the databases.
pub(crate) trait Dialect: Backend {
    /// SQL clause: the subquery locks the tokens it finds, in the same order as rotations, to avoid
    /// deadlocks.
    const ORDER_AND_LOCK: &'static str;
    /// Locks the selected rows against deletion until the transaction ends.
    const FOR_KEY_SHARE: &'static str;
    /// Deletes tokens of an account. Parameters: account id, limit.
    const DELETE_TOKENS: &'static str;
    /// Statement after which deferred foreign keys are checked at once, not at the commit.
    const CHECK_REFERENCES_AT_ONCE: &'static str;
    /// Key of an event in `session_events`.
    const EVENT: &'static str;
    /// The same key in a subquery with the alias `event`.
    const EVENT_OF_LIST: &'static str;
}

/// SQLite has one writer, so nothing is locked.
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
    /// Ordered by bytes, because an adopted `jti` may be any text.
    const ORDER_AND_LOCK: &'static str = " ORDER BY jti COLLATE \"C\" FOR UPDATE";
    const FOR_KEY_SHARE: &'static str = " FOR KEY SHARE";
    /// Locks the tokens in the same order as rotations do.
    const DELETE_TOKENS: &'static str = "DELETE FROM refresh_tokens WHERE id IN (SELECT token.id \
        FROM (SELECT id FROM refresh_tokens WHERE user_id = $1 LIMIT $2) AS chosen \
        JOIN refresh_tokens AS token ON token.id = chosen.id ORDER BY token.jti COLLATE \"C\" FOR UPDATE OF token)";
    const CHECK_REFERENCES_AT_ONCE: &'static str = "SET CONSTRAINTS ALL IMMEDIATE";
    const EVENT: &'static str = "(session_id, id)";
    const EVENT_OF_LIST: &'static str = "event.session_id, event.id";
}

/// Sessions to keep.
pub(super) struct KeepFilter {
    /// Empty for none: no session has an empty value.
    pub(super) sid: String,
    /// Empty for none: no session has an empty value.
    pub(super) device: Vec<u8>,
}

impl KeepFilter {
    pub(super) fn new(keep: &KeepSessions) -> Self {
        let device = keep.device.map(|mark| mark.as_bytes().to_vec());
        Self { sid: keep.session.map(|id| id.to_string()).unwrap_or_default(), device: device.unwrap_or_default() }
    }
}

/// Selection of an account's live tokens.
pub(super) enum TokenScope {
    /// Tokens of the session with this row id and `sid`.
    Of(i64, String),
    /// All tokens except those of kept sessions.
    AllBut(KeepFilter),
}

/// Revokes live tokens. Returns for each whether it was unexpired and had no session yet. Not prepared,
/// because its SQL varies and it runs rarely.
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

/// Adds an event to the session with this `sid`, if it exists.
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
