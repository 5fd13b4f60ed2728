//! Finds and deletes expired rows, in steps that read a bounded number of them. The caller passes the
//! cutoff.

use crate::engine::Link;
use crate::statement::{Statement, Value};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable};
use portcullis_ports::{RowCursor, RowRange, StoreError};

/// Columns of a scan: the last scanned id, if there was any row, and the number of expired rows.
pub(crate) type Scan = (Nullable<BigInt>, BigInt);

impl Link<'_> {
    /// Returns the condition that a time column is not after a value. In SQLite a number compares less
    /// than any text and would count as expired: a row whose time is not text is damaged, and is kept for
    /// an operator.
    pub(crate) fn expired(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("typeof({column}) = 'text' AND {column} <= ?"),
            Self::Postgres(_) => format!("{column} <= ?"),
        }
    }
}

impl Transaction<'_> {
    /// Scans the first rows after an id.
    pub(crate) fn scan_rows(
        &mut self,
        scan: Statement<Scan>,
        after: RowCursor,
        cutoff: DateTime<Utc>,
    ) -> Result<Option<RowRange>, StoreError> {
        let (last, dead) = self.in_background(|link| link.one::<(Option<i64>, i64)>(scan))?;
        let dead = u64::try_from(dead).unwrap_or_default();
        Ok(last.map(|last| RowRange { after, last: RowCursor(last), dead, cutoff }))
    }

    /// Runs a statement that deletes expired rows. Returns their number.
    pub(crate) fn purge_rows(&mut self, statement: Statement) -> Result<u64, StoreError> {
        self.require_write()?;
        let deleted = self.in_background(|link| link.execute(statement))?;
        self.written |= deleted > 0;
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
    }

    /// Deletes the rows of a table whose time is not after the cutoff, oldest first. The outer `WHERE`
    /// checks the time again, because a concurrent transaction may have changed it after the subquery
    /// found the row.
    pub(crate) fn purge_oldest(
        &mut self,
        table: &str,
        column: &str,
        cutoff: DateTime<Utc>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let expired = self.link.expired(column);
        let delete = format!(
            "DELETE FROM {table} WHERE {expired} AND id IN \
             (SELECT id FROM {table} WHERE {expired} ORDER BY {column} LIMIT ?)"
        );
        let cutoff = || Value::Time(DbTimestamp::new(cutoff));
        self.purge_rows(Statement::new(delete, [cutoff(), cutoff(), limit.into()]))
    }
}
