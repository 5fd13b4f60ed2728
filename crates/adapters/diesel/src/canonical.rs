//! SQL expression for the canonical form of a stored email address: ASCII letters in lower case,
//! nothing else folded. It must match the index definitions exactly; otherwise the databases do not use
//! the indexes.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;

/// `users.email` in its canonical form.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct CanonicalEmail;

impl Expression for CanonicalEmail {
    type SqlType = Text;
}

impl ValidGrouping<()> for CanonicalEmail {
    type IsAggregate = is_aggregate::No;
}

impl AppearsOnTable<crate::schema::users::table> for CanonicalEmail {}
impl SelectableExpression<crate::schema::users::table> for CanonicalEmail {}

/// SQLite's `lower` folds ASCII letters only.
impl QueryFragment<Sqlite> for CanonicalEmail {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("lower(email)");
        Ok(())
    }
}

/// PostgreSQL's `lower` folds ASCII letters only under the collation "C".
impl QueryFragment<Pg> for CanonicalEmail {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(r#"lower(email COLLATE "C")"#);
        Ok(())
    }
}
