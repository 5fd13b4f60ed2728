//! Statements that diesel cannot express: claiming an email that no other sender is claiming, and
//! counting up to a limit.

use crate::schema::outbox;
use crate::time::{DbTimestamp, UtcTime};
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};
use diesel::sqlite::Sqlite;

/// SQL that differs between the databases.
pub(super) trait Dialect: Backend {
    /// SQL clause: the subquery locks the row it finds and skips rows that other transactions have
    /// locked.
    const SKIP_LOCKED: &'static str;
}

/// SQLite has one writer, so nothing is locked.
impl Dialect for Sqlite {
    const SKIP_LOCKED: &'static str = "";
}

impl Dialect for Pg {
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
}

/// Claims the email that has been due for the longest time.
#[derive(QueryId)]
pub(super) struct ClaimNext {
    now: DbTimestamp,
    until: DbTimestamp,
}

impl ClaimNext {
    pub(super) fn new(now: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Self { now: DbTimestamp::new(now), until: DbTimestamp::new(until) }
    }
}

impl Query for ClaimNext {
    type SqlType = outbox::SqlType;
}

impl RunQueryDsl<SqliteConnection> for ClaimNext {}
impl RunQueryDsl<PgConnection> for ClaimNext {}

impl<DB> QueryFragment<DB> for ClaimNext
where
    DB: Dialect + HasSqlType<UtcTime>,
    DbTimestamp: ToSql<UtcTime, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE outbox SET tries = tries + 1, due_at = ");
        out.push_bind_param::<UtcTime, _>(&self.until)?;
        out.push_sql(" WHERE id = (SELECT id FROM outbox WHERE dead_at IS NULL AND due_at <= ");
        out.push_bind_param::<UtcTime, _>(&self.now)?;
        out.push_sql(" ORDER BY due_at, id LIMIT 1");
        out.push_sql(DB::SKIP_LOCKED);
        out.push_sql(") RETURNING id, occasion, user_id, email, language, seed, ip_address, user_agent, created_at, ");
        out.push_sql("due_at, tries, armed, dead_at, last_error, password_version");
        Ok(())
    }
}

/// Counts waiting and dead emails.
#[derive(QueryId)]
pub(super) struct CountOutbox {
    limit: i64,
}

impl CountOutbox {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: i64::from(limit) }
    }
}

impl Query for CountOutbox {
    type SqlType = (BigInt, BigInt);
}

impl RunQueryDsl<SqliteConnection> for CountOutbox {}
impl RunQueryDsl<PgConnection> for CountOutbox {}

impl<DB> QueryFragment<DB> for CountOutbox
where
    DB: Backend + HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE dead_at IS NULL LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS looked_at), (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE dead_at IS NOT NULL LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS looked_at)");
        Ok(())
    }
}
