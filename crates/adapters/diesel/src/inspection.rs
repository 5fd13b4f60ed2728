//! Checks the tables before a migration changes anything: reports problems that block a migration, and
//! limitations of adopted tables. `sqlite` and `postgres` read the schema.

use std::fmt;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The service cannot work: nothing is adopted or changed.
    Blocks,
    /// The service works with a limitation.
    Limits,
}

/// Problem of the tables, reported to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// Description of the problem. Names tables, columns and ids, never values.
    pub what: String,
    /// Advice on how to fix it.
    pub advice: String,
}

impl Finding {
    pub(crate) fn blocks(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Blocks, what: what.into(), advice: advice.into() }
    }

    pub(crate) fn limits(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Limits, what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.advice)
    }
}

/// Expected content of a column in the FastAPI application's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Reference,
    /// Text of at least this many characters.
    Text(i64),
    Flag,
    Time,
}

/// Tables of the FastAPI application.
pub(crate) const ADOPTED: [(&str, &[(&str, Kind)]); 2] = [
    (
        "users",
        &[
            ("id", Kind::Id),
            ("email", Kind::Text(255)),
            ("hashed_password", Kind::Text(255)),
            ("is_active", Kind::Flag),
            ("created_at", Kind::Time),
        ],
    ),
    (
        "refresh_tokens",
        &[
            ("id", Kind::Id),
            ("jti", Kind::Text(36)),
            ("user_id", Kind::Reference),
            ("expires_at", Kind::Time),
            ("revoked", Kind::Flag),
            ("created_at", Kind::Time),
        ],
    ),
];

/// Portcullis's own tables, with columns that distinguish them from other programs' tables of the same
/// name.
pub(crate) const OWN: [(&str, &[&str]); 13] = [
    ("sessions", &["id", "sid", "user_id", "created_at", "ended_at", "end_reason"]),
    ("session_events", &["id", "session_id", "at", "kind"]),
    ("one_time_tokens", &["id", "digest", "purpose", "user_id", "slot", "password_version"]),
    ("outbox", &["id", "occasion", "user_id", "language", "seed", "due_at", "armed"]),
    ("totp_factors", &["id", "factor_id", "user_id", "secret", "last_step", "confirmed_at"]),
    ("recovery_codes", &["id", "user_id", "digest", "used_at"]),
    ("trusted_devices", &["id", "device_id", "user_id", "device", "expires_at"]),
    ("passkeys", &["id", "passkey_id", "user_id", "credential_id", "public_key", "rp_id", "counter"]),
    ("used_challenges", &["id", "digest", "expires_at"]),
    ("identities", &["id", "identity_id", "user_id", "issuer", "subject", "provider"]),
    ("sign_in_flows", &["id", "state_digest", "browser", "sealed", "expires_at", "spent_at"]),
    ("sign_in_codes", &["id", "digest", "user_id", "sid", "challenge", "expires_at", "used_at"]),
    ("used_id_tokens", &["id", "digest", "expires_at"]),
];

/// Maximum number of ids in one finding.
pub(crate) const NAMED: usize = 10;

/// Column of an inspected table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) table: String,
    pub(crate) name: String,
    /// Type in lower case, without a width.
    pub(crate) kind: String,
    pub(crate) width: Option<i64>,
    pub(crate) nullable: bool,
    /// Whether the database fills the column on insert: it has a default or is an identity column.
    pub(crate) filled: bool,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.name)
    }
}

/// Foreign key from another program's table to `users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Referencing table and column.
    pub(crate) from: String,
    /// Referenced column of `users`.
    pub(crate) to: String,
    /// Whether the account can be deleted despite this foreign key.
    pub(crate) passes: bool,
}

/// Columns and foreign keys that a database reports, and the checks that depend on its dialect.
pub(crate) struct Tables<'a> {
    pub(crate) columns: Vec<Column>,
    pub(crate) references: Vec<Reference>,
    /// Returns whether values of that column's type can be read and written.
    pub(crate) fits: &'a dyn Fn(&Column, Kind) -> bool,
    /// Returns advice on how to give the column a default.
    pub(crate) set_default: &'a dyn Fn(&Column) -> String,
}

impl Tables<'_> {
    /// Returns the findings about columns and foreign keys.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (table, wanted) in ADOPTED {
            let names: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
            match self.foreign(table, &names, "the FastAPI application's") {
                Some(finding) => findings.push(finding),
                None => findings.extend(self.columns_of(table).filter_map(|column| self.misfit(column, wanted))),
            }
        }
        findings.extend(OWN.iter().filter_map(|(table, names)| self.foreign(table, names, "Portcullis's")));
        findings.extend(self.references.iter().filter_map(reference));
        findings
    }

    /// Returns the nullable columns in which a NULL makes the row unreadable.
    pub(crate) fn nullable(&self) -> Vec<&Column> {
        let wanted = |column: &&Column| {
            let of = |(table, wanted): &(&str, &[(&str, Kind)])| {
                column.table == *table && wanted.iter().any(|(name, _)| column.name == *name)
            };
            column.nullable && ADOPTED.iter().any(of)
        };
        self.columns.iter().filter(wanted).collect()
    }

    fn columns_of(&self, table: &str) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| column.table == table)
    }

    /// Reports a table of this name that belongs to another program.
    fn foreign(&self, table: &str, wanted: &[&str], whose: &str) -> Option<Finding> {
        self.columns_of(table).next()?;
        let is_missing = |name: &&&str| self.columns_of(table).all(|column| column.name != **name);
        let missing: Vec<_> = wanted.iter().filter(is_missing).copied().collect();
        (!missing.is_empty()).then(|| {
            let what = format!("the table {table} is not {whose}: it has no {}", missing.join(", "));
            Finding::blocks(what, "name another database or schema in DATABASE_URL, or rename that table")
        })
    }

    fn misfit(&self, column: &Column, wanted: &[(&str, Kind)]) -> Option<Finding> {
        let kind = wanted.iter().find(|(name, _)| column.name == *name).map(|(_, kind)| *kind);
        match kind {
            Some(kind) if !(self.fits)(column, kind) => {
                let expected = match kind {
                    Kind::Id => "an integer that the database numbers",
                    Kind::Reference => "an integer",
                    Kind::Text(_) => "text",
                    Kind::Flag => "a boolean",
                    Kind::Time => "a timestamp",
                };
                let what = format!("{column} is of type {}: expected {expected}", column.kind);
                Some(Finding::blocks(what, "change the column's type first"))
            }
            // Portcullis's inserts set all of these columns except the id.
            Some(kind) if kind != Kind::Id => None,
            _ if column.nullable || column.filled => None,
            _ => {
                let rows = if column.table == "users" { "registrations" } else { "logins and refreshes" };
                let what = format!("{column} is NOT NULL and has no default: {rows} would fail");
                Some(Finding::blocks(what, (self.set_default)(column)))
            }
        }
    }
}

fn reference(Reference { from, to, passes }: &Reference) -> Option<Finding> {
    match to.as_str() {
        "id" if *passes => None,
        "id" => Some(Finding::limits(
            format!("{from} refers to users without ON DELETE CASCADE or SET NULL"),
            "a deleted account that it refers to stays as an empty row; change the foreign key if it shall go",
        )),
        _ => Some(Finding::limits(
            format!("{from} refers to users.{to}"),
            "changing or deleting an account that it refers to fails; let it refer to users.id",
        )),
    }
}

/// Reports rows in which the column is NULL. Only these rows are unusable, so the finding does not
/// block.
pub(crate) fn nulls(column: &Column, mut ids: Vec<i64>) -> Option<Finding> {
    let more = if ids.len() > NAMED { ", …" } else { "" };
    ids.truncate(NAMED);
    let named: Vec<_> = ids.iter().map(i64::to_string).collect();
    (!ids.is_empty()).then(|| {
        let what = format!("{column} is NULL in the rows with the ids {}{more}: they cannot be read", named.join(", "));
        Finding::limits(what, format!("UPDATE {} SET {} = … WHERE {} IS NULL", column.table, column.name, column.name))
    })
}

/// Returns the names of all inspected tables.
pub(crate) fn names() -> Vec<&'static str> {
    ADOPTED.iter().map(|(name, _)| *name).chain(OWN.iter().map(|(name, _)| *name)).collect()
}

/// Returns the findings that block an adoption, in one line. `None` if there are none.
pub(crate) fn refusal(findings: &[Finding]) -> Option<String> {
    let blocks: Vec<_> =
        findings.iter().filter(|finding| finding.severity == Severity::Blocks).map(Finding::to_string).collect();
    (!blocks.is_empty()).then(|| blocks.join("; "))
}
