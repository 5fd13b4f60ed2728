//! Clock of the database server. Replicas use it to agree on elapsed time despite clock skew. SQLite has
//! no server: its processes share their machine's clock.

use crate::schema::refresh_tokens;
use crate::time::UtcTime;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Double, Nullable};
use diesel::sqlite::Sqlite;

/// Server's current time; null on SQLite.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct ServerNow;

/// Seconds since the row's token was spent, by the server's clock, or null. NaN if the stored time is
/// infinite.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct SpentAge;

impl Expression for ServerNow {
    type SqlType = Nullable<UtcTime>;
}

impl Expression for SpentAge {
    type SqlType = Nullable<Double>;
}

impl ValidGrouping<()> for ServerNow {
    type IsAggregate = is_aggregate::Never;
}

impl ValidGrouping<()> for SpentAge {
    type IsAggregate = is_aggregate::No;
}

impl AppearsOnTable<refresh_tokens::table> for ServerNow {}
impl<QS> AppearsOnTable<QS> for SpentAge {}
impl<QS> SelectableExpression<QS> for SpentAge {}

impl QueryFragment<Sqlite> for ServerNow {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("NULL");
        Ok(())
    }
}

impl QueryFragment<Pg> for ServerNow {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("clock_timestamp()");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for SpentAge {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("NULL");
        Ok(())
    }
}

impl QueryFragment<Pg> for SpentAge {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("CASE WHEN isfinite(refresh_tokens.server_spent_at) THEN ");
        out.push_sql("extract(epoch FROM clock_timestamp() - refresh_tokens.server_spent_at)::double precision ");
        out.push_sql("WHEN refresh_tokens.server_spent_at IS NOT NULL THEN 'NaN'::double precision END");
        Ok(())
    }
}
