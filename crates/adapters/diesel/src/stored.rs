//! Value of a column, readable or not. A damaged row must become an error that names its table, column
//! and id, never a panic and never a guess (RUSTSEC-2026-0111).

use crate::time::{self, UtcTime};
use chrono::{DateTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{BigInt, Binary, Bool, Text};
use diesel::sqlite::{Sqlite, SqliteType};
use portcullis_domain::sessions::SessionId;
use portcullis_ports::StoreError;

/// SQLite value of a column.
type SqliteValue<'row> = <Sqlite as diesel::backend::Backend>::RawValue<'row>;

/// Value, or the reason why it cannot be read. The reason does not contain the value.
#[derive(Debug, FromSqlRow)]
pub(crate) struct Stored<T>(Result<T, &'static str>);

impl<T> Stored<T> {
    /// Returns the value, or `None` if it is unreadable.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().ok()
    }
}

/// Row that contains a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef {
    pub(crate) table: &'static str,
    pub(crate) id: i64,
}

impl RowRef {
    pub(crate) fn corrupt(self, column: &'static str, reason: &str) -> StoreError {
        StoreError::Corrupt { table: self.table, column, id: self.id, reason: reason.to_owned() }
    }

    pub(crate) fn read<T>(self, column: &'static str, value: Stored<T>) -> Result<T, StoreError> {
        value.0.map_err(|reason| self.corrupt(column, reason))
    }

    /// Reads the id of a session.
    pub(crate) fn session(self, column: &'static str, value: Stored<String>) -> Result<SessionId, StoreError> {
        SessionId::parse(&self.read(column, value)?).ok_or_else(|| self.corrupt(column, "not a session identifier"))
    }

    /// Reads a 32-byte digest or keyed hash.
    pub(crate) fn code(self, column: &'static str, value: Stored<Vec<u8>>) -> Result<[u8; 32], StoreError> {
        self.read(column, value)?.try_into().map_err(|_| self.corrupt(column, "not 32 bytes"))
    }
}

/// PostgreSQL enforces column types. Only times outside chrono's range remain.
impl<T, ST> FromSql<ST, Pg> for Stored<T>
where
    T: FromSql<ST, Pg>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(T::from_sql(value).map_err(|_| "out of range")))
    }

    /// Adopted columns may be nullable.
    fn from_nullable_sql(value: Option<PgValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(Err("null"))), Self::from_sql)
    }
}

impl FromSql<Text, Sqlite> for Stored<String> {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(text(&mut value)))
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(Err("null"))), FromSql::<Text, Sqlite>::from_sql)
    }
}

impl FromSql<UtcTime, Sqlite> for Stored<DateTime<Utc>> {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(text(&mut value).and_then(|text| time::parse(&text).ok_or("not a time"))))
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(Err("null"))), FromSql::<UtcTime, Sqlite>::from_sql)
    }
}

impl FromSql<Bool, Sqlite> for Stored<bool> {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(match integer(&mut value) {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            Ok(_) => Err("neither 0 nor 1"),
            Err(reason) => Err(reason),
        }))
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(Err("null"))), FromSql::<Bool, Sqlite>::from_sql)
    }
}

impl FromSql<BigInt, Sqlite> for Stored<i64> {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(integer(&mut value)))
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(Err("null"))), FromSql::<BigInt, Sqlite>::from_sql)
    }
}

impl FromSql<Binary, Sqlite> for Stored<Vec<u8>> {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        let binary = value.value_type() == Some(SqliteType::Binary);
        Ok(Self(if binary { Ok(value.read_blob().to_vec()) } else { Err("not binary") }))
    }
}

/// Returns the text if it is UTF-8, which SQLite does not check.
fn text(value: &mut SqliteValue<'_>) -> Result<String, &'static str> {
    match value.value_type() {
        Some(SqliteType::Text) => String::from_utf8(value.read_blob().to_vec()).map_err(|_| "not UTF-8"),
        _ => Err("not text"),
    }
}

fn integer(value: &mut SqliteValue<'_>) -> Result<i64, &'static str> {
    match value.value_type() {
        Some(SqliteType::Long) => Ok(value.read_long()),
        _ => Err("not an integer"),
    }
}
