//! Finds and deletes dead sessions in ranges of ids. Their events are deleted first.

use super::statements::Dialect;
use crate::time::{DbTimestamp, UtcTime};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable};
use diesel::sqlite::Sqlite;
use portcullis_ports::{RowCursor, RowRange, SessionCutoffs};

/// Conditions on time columns. A damaged value never meets them.
pub(super) trait Times: Backend {
    const ENDED_AT: &'static str;
    const CREATED_AT: &'static str;
}

/// In SQLite a number compares less than any text and would count as expired.
impl Times for Sqlite {
    const ENDED_AT: &'static str = "typeof(ended_at) = 'text' AND ended_at <= ";
    const CREATED_AT: &'static str = "typeof(created_at) = 'text' AND created_at <= ";
}

impl Times for Pg {
    const ENDED_AT: &'static str = "ended_at <= ";
    const CREATED_AT: &'static str = "created_at <= ";
}

/// Cutoffs for dead sessions.
struct Dead {
    ended_by: DbTimestamp,
    started_by: DbTimestamp,
}

impl Dead {
    fn new(dead: &SessionCutoffs) -> Self {
        Self { ended_by: DbTimestamp::new(dead.ended), started_by: DbTimestamp::new(dead.started) }
    }

    fn push<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Times + HasSqlType<UtcTime>,
        DbTimestamp: ToSql<UtcTime, DB>,
    {
        out.push_sql("(");
        out.push_sql(DB::ENDED_AT);
        out.push_bind_param::<UtcTime, _>(&self.ended_by)?;
        out.push_sql(" OR ");
        out.push_sql(DB::CREATED_AT);
        out.push_bind_param::<UtcTime, _>(&self.started_by)?;
        out.push_sql(")");
        Ok(())
    }
}

/// Scans the first sessions after an id. Returns the last id and the number of dead sessions.
#[derive(QueryId)]
pub(super) struct ScanSessions {
    after: i64,
    limit: i64,
    dead: Dead,
}

impl QueryId for Dead {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl ScanSessions {
    pub(super) fn new(after: RowCursor, limit: u32, dead: &SessionCutoffs) -> Self {
        Self { after: after.0, limit: i64::from(limit), dead: Dead::new(dead) }
    }
}

impl Query for ScanSessions {
    type SqlType = (Nullable<BigInt>, BigInt);
}

impl RunQueryDsl<SqliteConnection> for ScanSessions {}
impl RunQueryDsl<PgConnection> for ScanSessions {}

impl<DB> QueryFragment<DB> for ScanSessions
where
    DB: Times + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT max(id), count(CASE WHEN ");
        self.dead.push(&mut out)?;
        out.push_sql(" THEN 1 END) FROM (SELECT id, created_at, ended_at FROM sessions WHERE id > ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(" ORDER BY id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS looked_at");
        Ok(())
    }
}

/// Deletes the first events of a range's dead sessions, or with `EVENTS` false the first dead sessions.
#[derive(QueryId)]
pub(super) struct DeleteDead<const EVENTS: bool> {
    after: i64,
    last: i64,
    limit: i64,
    dead: Dead,
}

impl<const EVENTS: bool> DeleteDead<EVENTS> {
    pub(super) fn new(range: &RowRange, dead: &SessionCutoffs, limit: u32) -> Self {
        Self { after: range.after.0, last: range.last.0, limit: i64::from(limit), dead: Dead::new(dead) }
    }
}

impl<const EVENTS: bool> RunQueryDsl<SqliteConnection> for DeleteDead<EVENTS> {}
impl<const EVENTS: bool> RunQueryDsl<PgConnection> for DeleteDead<EVENTS> {}

impl<const EVENTS: bool, DB> QueryFragment<DB> for DeleteDead<EVENTS>
where
    DB: Dialect + Times + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if EVENTS {
            out.push_sql("DELETE FROM session_events WHERE ");
            out.push_sql(DB::EVENT);
            out.push_sql(" IN (SELECT ");
            out.push_sql(DB::EVENT_OF_LIST);
            out.push_sql(" FROM sessions JOIN session_events AS event ON event.session_id = sessions.id");
        } else {
            out.push_sql("DELETE FROM sessions WHERE id IN (SELECT sessions.id FROM sessions");
        }
        out.push_sql(" WHERE sessions.id > ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(" AND sessions.id <= ");
        out.push_bind_param::<BigInt, _>(&self.last)?;
        out.push_sql(" AND ");
        self.dead.push(&mut out)?;
        out.push_sql(" ORDER BY sessions.id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(")");
        Ok(())
    }
}
