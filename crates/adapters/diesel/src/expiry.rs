//! Deletes expired rows, oldest first. The caller passes the cutoff.

use crate::time::{DbTimestamp, UtcTime};
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};
use diesel::sqlite::Sqlite;
use std::marker::PhantomData;

/// Table with an id column, and a time column that decides when a row expires.
pub(crate) trait ExpiringTable {
    const TABLE: &'static str;
    const TIME: &'static str;
}

/// Dead emails in the outbox.
#[derive(QueryId)]
pub(crate) struct DeadMails;

impl ExpiringTable for DeadMails {
    const TABLE: &'static str = "outbox";
    const TIME: &'static str = "dead_at";
}

/// One-time tokens.
#[derive(QueryId)]
pub(crate) struct OneTimeTokens;

impl ExpiringTable for OneTimeTokens {
    const TABLE: &'static str = "one_time_tokens";
    const TIME: &'static str = "expires_at";
}

/// Says whether time columns need a type check. An SQLite column can contain a number, which compares
/// less than any text and would count as expired.
pub(crate) trait TimeColumn: Backend {
    const NEEDS_TYPE_CHECK: bool;
}

impl TimeColumn for Sqlite {
    const NEEDS_TYPE_CHECK: bool = true;
}

impl TimeColumn for Pg {
    const NEEDS_TYPE_CHECK: bool = false;
}

/// Deletes the oldest rows up to a cutoff. The outer `WHERE` checks the time again, because a concurrent
/// transaction may have changed it after the subquery found the row.
#[derive(QueryId)]
pub(crate) struct DeleteOldest<T> {
    by: DbTimestamp,
    limit: i64,
    table: PhantomData<T>,
}

impl<T: ExpiringTable> DeleteOldest<T> {
    pub(crate) fn new(by: DateTime<Utc>, limit: u32) -> Self {
        Self { by: DbTimestamp::new(by), limit: i64::from(limit), table: PhantomData }
    }

    fn push_condition<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: TimeColumn + HasSqlType<UtcTime>,
        DbTimestamp: ToSql<UtcTime, DB>,
    {
        out.push_sql(T::TABLE);
        out.push_sql(" WHERE ");
        if DB::NEEDS_TYPE_CHECK {
            out.push_sql("typeof(");
            out.push_sql(T::TIME);
            out.push_sql(") = 'text' AND ");
        }
        out.push_sql(T::TIME);
        out.push_sql(" <= ");
        out.push_bind_param::<UtcTime, _>(&self.by)
    }
}

impl<T> RunQueryDsl<SqliteConnection> for DeleteOldest<T> {}
impl<T> RunQueryDsl<PgConnection> for DeleteOldest<T> {}

impl<T, DB> QueryFragment<DB> for DeleteOldest<T>
where
    T: ExpiringTable,
    DB: TimeColumn + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("DELETE FROM ");
        self.push_condition(&mut out)?;
        out.push_sql(" AND id IN (SELECT id FROM ");
        self.push_condition(&mut out)?;
        out.push_sql(" ORDER BY ");
        out.push_sql(T::TIME);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(")");
        Ok(())
    }
}
