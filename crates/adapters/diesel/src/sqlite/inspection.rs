//! Inspects the tables of an SQLite file through its schema.

use crate::inspection::{self, Column, Finding, Kind, NAMED, Reference, Tables};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

/// Type reported for every column of a view: its rows have no rowid.
const VIEW: &str = "a view";

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Bool)]
    filled: bool,
}

/// Names are compared case-insensitively, as SQLite does. SQLite assigns ids only to an INTEGER PRIMARY
/// KEY.
const COLUMNS: &str = "SELECT lower(m.name) AS table_name, lower(c.name) AS name, \
    CASE m.type WHEN 'view' THEN 'a view' ELSE lower(c.type) END AS kind, NOT c.\"notnull\" AND c.pk = 0 AS nullable, \
    c.dflt_value IS NOT NULL OR (c.pk = 1 AND lower(c.type) = 'integer') AS filled \
    FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type IN ('table', 'view') ORDER BY m.name, c.cid";

#[derive(QueryableByName)]
pub(crate) struct ReferenceRow {
    #[diesel(sql_type = Text)]
    pub(crate) table_name: String,
    #[diesel(sql_type = Text)]
    pub(crate) from_column: String,
    #[diesel(sql_type = Text)]
    pub(crate) to_column: String,
    #[diesel(sql_type = Bool)]
    pub(crate) passes: bool,
}

const REFERENCES: &str = "SELECT m.name AS table_name, k.\"from\" AS from_column, \
    lower(coalesce(k.\"to\", 'id')) AS to_column, k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') AS passes \
    FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS k \
    WHERE m.type = 'table' AND lower(k.\"table\") = 'users' AND k.seq = 0 ORDER BY 1, 2";

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Inspects the tables.
pub(super) fn inspect(connection: &mut SqliteConnection) -> QueryResult<Vec<Finding>> {
    let names = inspection::names();
    let rows = diesel::sql_query(COLUMNS).load::<ColumnRow>(connection)?;
    let columns = rows.into_iter().filter(|row| names.contains(&row.table_name.as_str())).map(|row| Column {
        table: row.table_name,
        name: row.name,
        kind: row.kind,
        width: None,
        nullable: row.nullable,
        filled: row.filled,
    });
    let references = references(connection)?.into_iter().map(|row| Reference {
        from: format!("{}.{}", row.table_name, row.from_column),
        to: row.to_column,
        passes: row.passes,
    });
    let tables = Tables {
        columns: columns.collect(),
        references: references.collect(),
        fits: &fits,
        set_default: &|_| "give it a default or allow NULL: Alembic's batch_alter_table rebuilds the table".to_owned(),
    };
    let mut findings = tables.findings();
    findings.extend(encoding(connection)?);
    for column in tables.nullable().into_iter().filter(|column| column.kind != VIEW) {
        let Column { table, name, .. } = column;
        let query = format!("SELECT rowid AS id FROM {table} WHERE {name} IS NULL ORDER BY rowid LIMIT {}", NAMED + 1);
        let rows = diesel::sql_query(query).load::<IdRow>(connection)?;
        findings.extend(inspection::nulls(column, rows.into_iter().map(|row| row.id).collect()));
    }
    Ok(findings)
}

/// Returns the foreign keys from other programs' tables to `users`.
pub(crate) fn references(connection: &mut SqliteConnection) -> QueryResult<Vec<ReferenceRow>> {
    let rows = diesel::sql_query(REFERENCES).load::<ReferenceRow>(connection)?;
    let names = inspection::names();
    Ok(rows.into_iter().filter(|row| !names.contains(&row.table_name.to_lowercase().as_str())).collect())
}

/// An SQLite column can hold any type. Only views, and ids that SQLite does not assign, are rejected.
fn fits(column: &Column, kind: Kind) -> bool {
    column.kind != VIEW && (kind != Kind::Id || column.filled)
}

fn encoding(connection: &mut SqliteConnection) -> QueryResult<Option<Finding>> {
    let encoding = sql::<Text>("PRAGMA encoding").get_result::<String>(connection)?;
    Ok((encoding != "UTF-8").then(|| {
        let advice = "copy its content into a new file: sqlite3 app.db .dump | sqlite3 new.db";
        Finding::blocks(format!("the file's encoding is {encoding}: expected UTF-8"), advice)
    }))
}
