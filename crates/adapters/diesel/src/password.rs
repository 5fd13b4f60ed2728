//! Stored password hash, readable or not. A value that is not text does not fail the query: it is read
//! as a hash that no password matches.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteType};
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::PasswordHash;

/// SQLite value of a column.
type SqliteValue<'row> = <Sqlite as diesel::backend::Backend>::RawValue<'row>;

/// Prefix of the placeholder for a value that is not text. No hash scheme starts with it.
const UNREADABLE: &str = "unreadable:";
/// Maximum number of bytes of the value in the placeholder. They distinguish unreadable values.
const SHOWN_BYTES: usize = 128;

/// Value of `users.hashed_password`, with the mark of a second factor, or of `users.no_password_hash`.
#[derive(Debug, FromSqlRow)]
pub(crate) struct StoredPassword(PasswordHash);

impl StoredPassword {
    /// Returns whether the text is a placeholder for a value that is not text.
    pub(crate) fn is_unreadable(text: &str) -> bool {
        text.starts_with(UNREADABLE)
    }

    /// Returns whether this is the text, or its placeholder.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.expose() == text
    }

    /// Returns the credentials. `no_password` is the value of `users.no_password_hash`.
    pub(crate) fn into_credentials(self, no_password: Option<&Self>, has_second_factor: bool) -> Credentials {
        Credentials::from_stored(self.0, no_password.map(|hash| &hash.0), has_second_factor)
    }

    /// Returns the hash without the mark of a second factor.
    pub(crate) fn into_hash(self) -> PasswordHash {
        self.into_credentials(None, false).into_hash()
    }

    fn unreadable(bytes: &[u8]) -> Self {
        let shown = hex::encode(bytes.get(..SHOWN_BYTES).unwrap_or(bytes));
        Self(PasswordHash::new(format!("{UNREADABLE}{}:{shown}", bytes.len())))
    }

    fn of_text(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self(PasswordHash::new(text.to_owned())),
            Err(_) => Self::unreadable(bytes),
        }
    }
}

impl FromSql<Text, Sqlite> for StoredPassword {
    fn from_sql(mut value: SqliteValue<'_>) -> deserialize::Result<Self> {
        Ok(match value.value_type() {
            Some(SqliteType::Text) => Self::of_text(value.read_blob()),
            _ => Self::unreadable(value.read_blob()),
        })
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_>>) -> deserialize::Result<Self> {
        value.map_or_else(|| Ok(Self::unreadable(b"")), FromSql::<Text, Sqlite>::from_sql)
    }
}

impl FromSql<Text, Pg> for StoredPassword {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::of_text(value.as_bytes()))
    }

    fn from_nullable_sql(value: Option<PgValue<'_>>) -> deserialize::Result<Self> {
        value.map_or_else(|| Ok(Self::unreadable(b"")), FromSql::<Text, Pg>::from_sql)
    }
}
