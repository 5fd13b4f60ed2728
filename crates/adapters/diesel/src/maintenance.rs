//! Finds and deletes expired refresh tokens in ranges of ids, so that each step reads a bounded number
//! of rows.

use crate::time::{DbTimestamp, UtcTime};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable};
use diesel::sqlite::Sqlite;
use portcullis_ports::{RowCursor, RowRange};

/// Type check for `expires_at`. In SQLite a number compares less than any text and would count as
/// expired. A row whose time is not text is damaged, and is kept for an operator.
pub(crate) trait ExpiredRow: Backend {
    const IS_TIME: &'static str;
}

impl ExpiredRow for Sqlite {
    const IS_TIME: &'static str = "typeof(expires_at) = 'text' AND ";
}

impl ExpiredRow for Pg {
    const IS_TIME: &'static str = "";
}

/// Scans the first rows after an id. Returns the last scanned id and the number of expired rows.
#[derive(QueryId)]
pub(crate) struct ScanExpired {
    after: i64,
    limit: i64,
    cutoff: DbTimestamp,
}

impl ScanExpired {
    pub(crate) fn new(after: RowCursor, limit: u32, cutoff: DbTimestamp) -> Self {
        Self { after: after.0, limit: i64::from(limit), cutoff }
    }
}

impl Query for ScanExpired {
    type SqlType = (Nullable<BigInt>, BigInt);
}

impl RunQueryDsl<SqliteConnection> for ScanExpired {}
impl RunQueryDsl<PgConnection> for ScanExpired {}

impl<DB> QueryFragment<DB> for ScanExpired
where
    DB: ExpiredRow + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT max(id), count(CASE WHEN ");
        out.push_sql(DB::IS_TIME);
        out.push_sql("expires_at <= ");
        out.push_bind_param::<UtcTime, _>(&self.cutoff)?;
        out.push_sql(" THEN 1 END) FROM (SELECT id, expires_at FROM refresh_tokens WHERE id > ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(" ORDER BY id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS looked_at");
        Ok(())
    }
}

/// Deletes the first expired rows of a range.
#[derive(QueryId)]
pub(crate) struct DeleteExpired {
    after: i64,
    last: i64,
    limit: i64,
    cutoff: DbTimestamp,
}

impl DeleteExpired {
    pub(crate) fn new(range: &RowRange, limit: u32) -> Self {
        let cutoff = DbTimestamp::new(range.cutoff);
        Self { after: range.after.0, last: range.last.0, limit: i64::from(limit), cutoff }
    }
}

impl RunQueryDsl<SqliteConnection> for DeleteExpired {}
impl RunQueryDsl<PgConnection> for DeleteExpired {}

impl<DB> QueryFragment<DB> for DeleteExpired
where
    DB: ExpiredRow + HasSqlType<UtcTime> + HasSqlType<BigInt>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE id > ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(" AND id <= ");
        out.push_bind_param::<BigInt, _>(&self.last)?;
        out.push_sql(" AND ");
        out.push_sql(DB::IS_TIME);
        out.push_sql("expires_at <= ");
        out.push_bind_param::<UtcTime, _>(&self.cutoff)?;
        out.push_sql(" ORDER BY id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(")");
        Ok(())
    }
}
