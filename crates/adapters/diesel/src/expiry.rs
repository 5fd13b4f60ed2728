//! Rows whose time is over, deleted oldest first. Which time is over is left to the callers.

use crate::time::{Moment, UtcTime};
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};
use diesel::sqlite::Sqlite;
use std::marker::PhantomData;

/// A table whose rows have a number and a time.
pub(crate) trait Expiring {
    const TABLE: &'static str;
    const TIME: &'static str;
}

/// Mails that were given up.
#[derive(QueryId)]
pub(crate) struct DeadMails;

impl Expiring for DeadMails {
    const TABLE: &'static str = "outbox";
    const TIME: &'static str = "dead_at";
}

/// One-time tokens.
#[derive(QueryId)]
pub(crate) struct OneTimeTokens;

impl Expiring for OneTimeTokens {
    const TABLE: &'static str = "one_time_tokens";
    const TIME: &'static str = "expires_at";
}

/// Whether a time may be no time: on SQLite a number would pass for one long ago.
pub(crate) trait Times: Backend {
    const UNSURE: bool;
}

impl Times for Sqlite {
    const UNSURE: bool = true;
}

impl Times for Pg {
    const UNSURE: bool = false;
}

/// Deletes the oldest rows with a time up to a moment. It asks for the time again once it has the
/// row: somebody may have given it another one meanwhile.
#[derive(QueryId)]
pub(crate) struct DeleteOldest<T> {
    by: Moment,
    limit: i64,
    table: PhantomData<T>,
}

impl<T: Expiring> DeleteOldest<T> {
    pub(crate) fn new(by: DateTime<Utc>, limit: u32) -> Self {
        Self { by: Moment::new(by), limit: i64::from(limit), table: PhantomData }
    }

    fn push_condition<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Times + HasSqlType<UtcTime>,
        Moment: ToSql<UtcTime, DB>,
    {
        out.push_sql(T::TABLE);
        out.push_sql(" WHERE ");
        if DB::UNSURE {
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
    T: Expiring,
    DB: Times + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    Moment: ToSql<UtcTime, DB>,
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
