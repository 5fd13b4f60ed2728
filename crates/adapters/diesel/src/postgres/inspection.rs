//! Inspects the tables of a PostgreSQL database through its catalog. Tables are found by the search
//! path, as in all other statements.

use crate::inspection::{self, ADOPTED, Column, Finding, Kind, NAMED, Reference, Tables};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};

/// Type of ids and references after the migrations, which widen the FastAPI application's columns.
const BIG: &str = "bigint";

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    width: Option<i64>,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Bool)]
    filled: bool,
}

const COLUMNS: &str = "SELECT wanted.name AS table_name, a.attname::text AS name, \
    CASE WHEN c.relkind IN ('r', 'p') THEN format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) \
        ELSE 'a view' END AS kind, \
    CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 \
        THEN (a.atttypmod - 4)::bigint END AS width, \
    NOT a.attnotnull AS nullable, a.atthasdef OR a.attidentity <> '' AS filled \
    FROM unnest($1) AS wanted (name) JOIN pg_class AS c ON c.oid = to_regclass(wanted.name) \
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_type AS t ON t.oid = a.atttypid ORDER BY 1, a.attnum";

#[derive(QueryableByName)]
struct ReferenceRow {
    #[diesel(sql_type = Text)]
    from_column: String,
    #[diesel(sql_type = Text)]
    to_column: String,
    #[diesel(sql_type = Bool)]
    passes: bool,
}

const REFERENCES: &str = "SELECT c.conrelid::regclass::text || '.' || a.attname AS from_column, \
    b.attname::text AS to_column, c.confdeltype IN ('c', 'n', 'd') AS passes FROM pg_constraint AS c \
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
    JOIN pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1] \
    WHERE c.contype = 'f' AND c.confrelid = to_regclass('users') \
        AND NOT EXISTS (SELECT 1 FROM unnest($1) AS own (name) WHERE to_regclass(own.name) = c.conrelid) ORDER BY 1";

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    value: String,
}

/// Views, rules, triggers and policies that prevent a change of a column's type.
const DEPENDENTS: &str = "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS value \
    FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND a.attname = $2 \
        AND d.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass) ORDER BY 1";

const GUARDED: &str = "SELECT own.name AS value FROM unnest($1) AS own (name) \
    WHERE to_regclass(own.name) IS NOT NULL AND row_security_active(to_regclass(own.name)) ORDER BY 1";

const FOREIGN_OWNED: &str = "SELECT own.name || ' (' || pg_get_userbyid(c.relowner) || ')' AS value \
    FROM unnest($1) AS own (name) JOIN pg_class AS c ON c.oid = to_regclass(own.name) \
    WHERE NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1";

#[derive(QueryableByName)]
struct SequenceRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    sequence: String,
}

const SEQUENCES: &str = "SELECT own.name AS table_name, d.sequence::regclass::text AS sequence \
    FROM unnest($1) AS own (name) JOIN pg_attribute AS a ON a.attrelid = to_regclass(own.name) AND a.attname = 'id' \
    CROSS JOIN LATERAL (\
        SELECT objid AS sequence FROM pg_depend WHERE classid = 'pg_class'::regclass \
            AND refclassid = 'pg_class'::regclass AND refobjid = a.attrelid AND refobjsubid = a.attnum \
            AND deptype IN ('a', 'i') \
        UNION SELECT d.refobjid FROM pg_attrdef AS v JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass \
            AND d.objid = v.oid AND d.refclassid = 'pg_class'::regclass \
            WHERE v.adrelid = a.attrelid AND v.adnum = a.attnum\
    ) AS d JOIN pg_class AS c ON c.oid = d.sequence AND c.relkind = 'S' ORDER BY 1";

/// Next value of a sequence, and the largest id in its table.
#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    next: i64,
    #[diesel(sql_type = BigInt)]
    largest: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Inspects the tables. Obstacles to a migration are checked only while one is pending.
pub(super) fn inspect(connection: &mut PgConnection, pending: bool) -> QueryResult<Vec<Finding>> {
    let names = inspection::names();
    let rows = diesel::sql_query(COLUMNS).bind::<Array<Text>, _>(&names).load::<ColumnRow>(connection)?;
    let columns = rows.into_iter().map(|row| Column {
        table: row.table_name,
        name: row.name,
        kind: row.kind,
        width: row.width,
        nullable: row.nullable,
        filled: row.filled,
    });
    let rows = diesel::sql_query(REFERENCES).bind::<Array<Text>, _>(&names).load::<ReferenceRow>(connection)?;
    let references =
        rows.into_iter().map(|row| Reference { from: row.from_column, to: row.to_column, passes: row.passes });
    let tables = Tables {
        columns: columns.collect(),
        references: references.collect(),
        fits: &fits,
        set_default: &|column| {
            let Column { table, name, .. } = column;
            format!("ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT …, or DROP NOT NULL")
        },
    };
    let mut findings = tables.findings();
    findings.extend(encoding(connection)?);
    findings.extend(access(connection, &names, pending)?);
    findings.extend(tables.columns.iter().filter_map(zoneless));
    for column in tables.nullable() {
        let Column { table, name, .. } = column;
        let query =
            format!("SELECT id::bigint AS id FROM {table} WHERE {name} IS NULL ORDER BY id LIMIT {}", NAMED + 1);
        // An id of another type was reported above.
        let is_numbered = |id: &Column| id.table == *table && id.name == "id" && fits(id, Kind::Reference);
        if tables.columns.iter().any(is_numbered) {
            let rows = diesel::sql_query(query).load::<IdRow>(connection)?;
            findings.extend(inspection::nulls(column, rows.into_iter().map(|row| row.id).collect()));
        }
    }
    if pending {
        for column in tables.columns.iter().filter(|column| is_changed(column)) {
            findings.extend(dependents(connection, column)?);
        }
    } else {
        findings.extend(sequences(connection, &names)?);
    }
    Ok(findings)
}

fn fits(column: &Column, kind: Kind) -> bool {
    match kind {
        Kind::Id | Kind::Reference => ["smallint", "integer", BIG].contains(&column.kind.as_str()),
        Kind::Text(_) => ["text", "character varying", "character", "citext"].contains(&column.kind.as_str()),
        Kind::Flag => column.kind == "boolean",
        Kind::Time => column.kind.starts_with("timestamp"),
    }
}

/// Returns whether a migration changes the column's type.
fn is_changed(column: &Column) -> bool {
    let kinds = ADOPTED.iter().find(|(table, _)| column.table == *table).map(|(_, wanted)| *wanted).unwrap_or_default();
    let kind = kinds.iter().find(|(name, _)| column.name == *name).map(|(_, kind)| *kind);
    match kind {
        Some(Kind::Id | Kind::Reference) => column.kind != BIG,
        Some(Kind::Text(width)) => column.kind == "character" || column.width.is_some_and(|own| own < width),
        Some(Kind::Flag | Kind::Time) | None => false,
    }
}

fn dependents(connection: &mut PgConnection, column: &Column) -> QueryResult<Option<Finding>> {
    let query = diesel::sql_query(DEPENDENTS).bind::<Text, _>(&column.table).bind::<Text, _>(&column.name);
    let dependents: Vec<_> = query.load::<TextRow>(connection)?.into_iter().map(|row| row.value).collect();
    Ok((!dependents.is_empty()).then(|| {
        let what = format!("{column} must be widened, and is used by: {}", dependents.join(", "));
        Finding::blocks(what, "drop it, run `portcullis migrate`, and create it again")
    }))
}

fn encoding(connection: &mut PgConnection) -> QueryResult<Option<Finding>> {
    let query = diesel::sql_query("SELECT current_setting('server_encoding') AS value");
    let encoding = query.get_result::<TextRow>(connection)?.value;
    let what = format!("the database's encoding is {encoding}");
    let advice = "dump it, and restore it into one that was created with ENCODING 'UTF8'";
    Ok(match encoding.as_str() {
        "UTF8" => None,
        "SQL_ASCII" => Some(Finding::limits(format!("{what}: text that is not UTF-8 cannot be read"), advice)),
        _ => Some(Finding::blocks(format!("{what}, which cannot hold every email: expected UTF8"), advice)),
    })
}

/// Reports row-level security that hides rows, and tables that only another role can change.
fn access(connection: &mut PgConnection, names: &[&str], pending: bool) -> QueryResult<Vec<Finding>> {
    let mut texts = |query: &str| -> QueryResult<Vec<String>> {
        let rows = diesel::sql_query(query).bind::<Array<Text>, _>(names).load::<TextRow>(connection)?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    };
    let (guarded, foreign) = (texts(GUARDED)?, if pending { texts(FOREIGN_OWNED)? } else { Vec::new() });
    let mut findings = Vec::new();
    if !guarded.is_empty() {
        let what = format!("row-level security hides rows from this role: {}", guarded.join(", "));
        let advice = "have the tables' owner serve without FORCE ROW LEVEL SECURITY, or a role with BYPASSRLS";
        findings.push(Finding::blocks(what, advice));
    }
    if !foreign.is_empty() {
        let what = format!("only their owner can change these tables: {}", foreign.join(", "));
        findings.push(Finding::blocks(what, "run `portcullis migrate` as that role, or make this one a member of it"));
    }
    Ok(findings)
}

/// Reports times without a time zone, which are read as UTC.
fn zoneless(column: &Column) -> Option<Finding> {
    let adopted = ADOPTED.iter().any(|(table, _)| column.table == *table);
    (adopted && column.kind == "timestamp without time zone").then(|| {
        let advice = "ALTER COLUMN … TYPE TIMESTAMPTZ USING … AT TIME ZONE, if they were written in another zone";
        Finding::limits(format!("{column} has no time zone: its times are read as UTC"), advice)
    })
}

/// Reports sequences whose next id is already taken.
fn sequences(connection: &mut PgConnection, names: &[&str]) -> QueryResult<Vec<Finding>> {
    let rows = diesel::sql_query(SEQUENCES).bind::<Array<Text>, _>(names).load::<SequenceRow>(connection)?;
    let mut findings = Vec::new();
    for SequenceRow { table_name, sequence } in rows {
        let query = format!(
            "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END AS next, \
             (SELECT coalesce(max(id), 0)::bigint FROM {table_name}) AS largest FROM {sequence}"
        );
        let Counted { next, largest } = diesel::sql_query(query).get_result(connection)?;
        if next <= largest {
            let what = format!("the sequence of {table_name}.id gives {next} next, and {largest} is taken");
            let advice = format!("SELECT setval('{sequence}', (SELECT max(id) FROM {table_name}))");
            findings.push(Finding::blocks(what, advice));
        }
    }
    Ok(findings)
}
