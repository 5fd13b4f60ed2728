//! Data that is lost if the last migration is reverted. It is reverted in a transaction that ends with a rollback,
//! and the columns before and after are compared.

use crate::engine::Engine;
use crate::error::MigrateError;
use crate::migrations::{failed, last};
use diesel::backend::Backend;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::query_dsl::LoadQuery;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::MigrationHarness;
use std::collections::BTreeSet;
use std::fmt;

/// What reverting the last migration deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// Name of the migration.
    pub migration: String,
    /// Tables and columns that are deleted, in alphabetical order.
    pub losses: Vec<Loss>,
}

/// Table or column that is deleted with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Name of the table.
    pub table: String,
    /// Name of the column. `None`: the whole table.
    pub column: Option<String>,
    /// Number of rows in the table, or of values in the column.
    pub rows: i64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, column, rows } = self;
        match column {
            Some(column) => write!(f, "column {table}.{column} ({rows} values)"),
            None => write!(f, "table {table} ({rows} rows)"),
        }
    }
}

/// Ends the transaction of the trial with a rollback.
enum TrialEnd {
    Reverted,
    Failed(MigrateError),
}

impl From<diesel::result::Error> for TrialEnd {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(MigrateError::Failed(error.to_string()))
    }
}

/// Returns what reverting the last migration deletes. `columns` selects `table.column` of every column. Call it
/// in a transaction, so that no other process changes the schema.
pub(crate) fn preview<C, B>(
    connection: &mut C,
    known: &impl MigrationSource<B>,
    columns: &'static str,
) -> Result<Reversal, MigrateError>
where
    B: Backend,
    C: Engine<Backend = B> + MigrationHarness<B>,
    for<'q> SqlLiteral<BigInt>: LoadQuery<'q, C, i64>,
    for<'q> SqlLiteral<Text>: LoadQuery<'q, C, String>,
{
    let last = last(connection, known)?;
    let read = |connection: &mut C| -> QueryResult<BTreeSet<String>> {
        Ok(sql::<Text>(columns).load::<String>(connection)?.into_iter().collect())
    };
    let before = read(connection).map_err(|error| failed::<C>(error.into()))?;
    let mut after = BTreeSet::new();
    let trial = connection.transaction::<(), TrialEnd, _>(|connection| {
        connection.revert_migration(&*last).map_err(|error| TrialEnd::Failed(failed::<C>(error)))?;
        after = read(connection)?;
        Err(TrialEnd::Reverted)
    });
    if let Err(TrialEnd::Failed(error)) = trial {
        return Err(error);
    }
    let losses = losses(&before, &after).into_iter().map(|loss| counted(connection, loss));
    let losses = losses.collect::<QueryResult<_>>().map_err(|error| failed::<C>(error.into()))?;
    Ok(Reversal { migration: last.name().to_string(), losses })
}

fn table_of(column: &str) -> &str {
    column.split('.').next().unwrap_or_default()
}

fn losses(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<Loss> {
    let kept: BTreeSet<_> = after.iter().map(|column| table_of(column)).collect();
    let lost = before.difference(after).filter_map(|column| {
        let (table, column) = column.split_once('.')?;
        let column = kept.contains(table).then(|| column.to_owned());
        Some(Loss { table: table.to_owned(), column, rows: 0 })
    });
    let mut losses: Vec<_> = lost.collect();
    losses.dedup();
    losses
}

fn counted<C>(connection: &mut C, loss: Loss) -> QueryResult<Loss>
where
    C: Connection,
    for<'q> SqlLiteral<BigInt>: LoadQuery<'q, C, i64>,
{
    let counted = loss.column.as_ref().map_or_else(|| "*".to_owned(), |column| format!("\"{column}\""));
    let count = format!("SELECT count({counted}) FROM \"{}\"", loss.table);
    let rows = sql::<BigInt>(&count).load::<i64>(connection)?.first().copied().unwrap_or_default();
    Ok(Loss { rows, ..loss })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_columns_is_lost_as_a_whole() {
        let columns = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let before = columns(&["codes.id", "codes.page", "keys.id", "keys.name", "users.id"]);
        let lost = losses(&before, &columns(&["codes.id", "users.id"]));
        let lost: Vec<_> = lost.iter().map(ToString::to_string).collect();
        assert_eq!(lost, ["column codes.page (0 values)", "table keys (0 rows)"]);
        assert!(losses(&before, &before).is_empty());
    }
}
