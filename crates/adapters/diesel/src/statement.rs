//! Statements that diesel cannot express, as text for both databases. Each text is prepared once per
//! connection.

use crate::time::{DbTimestamp, UtcTime};
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, HasSqlType, Nullable, Text};
use std::marker::PhantomData;

/// Statement with a `?` for each value. Returns rows of SQL type `ST`.
pub(crate) struct Statement<ST = ()> {
    text: String,
    values: Vec<Value>,
    rows: PhantomData<fn() -> ST>,
}

/// Value of a statement.
pub(crate) enum Value {
    Time(DbTimestamp),
    Number(i64),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

impl<ST> Statement<ST> {
    pub(crate) fn new(text: impl Into<String>, values: impl Into<Vec<Value>>) -> Self {
        Self { text: text.into(), values: values.into(), rows: PhantomData }
    }
}

impl From<DbTimestamp> for Value {
    fn from(time: DbTimestamp) -> Self {
        Self::Time(time)
    }
}

impl<N: Into<i64>> From<N> for Value {
    fn from(number: N) -> Self {
        Self::Number(number.into())
    }
}

impl<ST> Query for Statement<ST> {
    type SqlType = ST;
}

/// diesel finds the prepared statement by its text.
impl<ST> QueryId for Statement<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> RunQueryDsl<SqliteConnection> for Statement<ST> {}
impl<ST> RunQueryDsl<PgConnection> for Statement<ST> {}

impl<ST, DB> QueryFragment<DB> for Statement<ST>
where
    DB: Backend + HasSqlType<UtcTime> + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Binary>,
    DbTimestamp: ToSql<UtcTime, DB>,
    i64: ToSql<BigInt, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
    Vec<u8>: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(&self.values) {
            match value {
                Value::Time(time) => out.push_bind_param::<UtcTime, _>(time)?,
                Value::Number(number) => out.push_bind_param::<BigInt, _>(number)?,
                Value::Text(text) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                Value::Bytes(bytes) => out.push_bind_param::<Binary, _>(bytes)?,
            }
            out.push_sql(part);
        }
        Ok(())
    }
}
