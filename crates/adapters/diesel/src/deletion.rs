//! Deletes accounts with all their rows, in batches.
//!
//! Concurrent transactions must not add rows for a deleted account, and session events have no foreign
//! key that would prevent it. A rotation locks the row of the token. A login, and the first refresh of
//! a token, lock the row of the account. Adding a session event locks the row of the session. Therefore
//! tokens are deleted before sessions, sessions are locked before their events are deleted, and the
//! account is locked before the final check.

use crate::engine::Link;
use crate::schema::{sessions, users};
use crate::sqlite::references;
use crate::statement::{Statement, Value};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::{auto_type, exists, sql};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Bool;
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, StoreError, UserDeletion};

/// Tables with a column `user_id`, in the order in which an account's rows are deleted.
const OWNED: [&str; 10] = [
    "refresh_tokens",
    "sessions",
    "one_time_tokens",
    "outbox",
    "totp_factors",
    "recovery_codes",
    "trusted_devices",
    "passkeys",
    "identities",
    "sign_in_codes",
];

/// Returns the placeholder email of a deleted account. It is unique, and no valid email address because
/// it has no @-sign.
fn tombstone_email(id: UserId) -> String {
    format!("deleted:{id}")
}

/// Password hash that no password matches.
const DISABLED_HASH: &str = "!";

/// Selects an account whose deletion has begun.
#[auto_type]
fn marked(id: i64) -> _ {
    users::table.find(id).filter(users::deleted_at.is_not_null())
}

impl UserDeletion for Transaction<'_> {
    fn mark_deleted(&mut self, id: UserId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let kept = users::table.find(id.get()).filter(users::deleted_at.is_null());
        self.changed_one(diesel::update(kept).set((
            users::deleted_at.eq(DbTimestamp::new(now)),
            users::is_active.eq(false),
            users::email.eq(tombstone_email(id)),
            users::hashed_password.eq(DISABLED_HASH),
            users::no_password_hash.eq(None::<&str>),
            users::passkey_handle.eq(None::<&[u8]>),
            users::email_verified_at.eq(None::<DbTimestamp>),
        )))
    }

    fn list_marked_deleted(&mut self, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let query = users::table.filter(users::deleted_at.is_not_null()).order(users::deleted_at);
        let ids = self.load::<i64>(query.limit(i64::from(limit)).select(users::id))?;
        Ok(ids.into_iter().map(UserId::new).collect())
    }

    fn delete_owned_rows(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
        self.require_write()?;
        if !self.one(diesel::select(exists(marked(id.get()))))? {
            return Ok(0);
        }
        let mut rest = u64::from(limit);
        for table in OWNED {
            if let Some(limit) = u32::try_from(rest).ok().filter(|rest| *rest > 0) {
                let deleted = if table == "sessions" {
                    self.delete_sessions(id, limit)
                } else {
                    self.delete_from(table, id, limit)
                };
                rest = rest.saturating_sub(deleted?);
            }
        }
        Ok(u64::from(limit).saturating_sub(rest))
    }

    fn delete_row_if_empty(&mut self, id: UserId, now: DateTime<Utc>) -> Result<Remains, StoreError> {
        if !self.lock_deleted(id)? {
            return Ok(Remains::Nothing);
        }
        if let Some(by) = self.referenced_by(id)? {
            return self.keep_row(id, now, by);
        }
        let bare = OWNED.map(|table| format!(" AND NOT EXISTS (SELECT 1 FROM {table} WHERE user_id = ?)")).concat();
        let ids = vec![id.get(); OWNED.len() + 1].into_iter().map(Value::Number).collect::<Vec<_>>();
        let delete = Statement::<()>::new(format!("DELETE FROM users WHERE id = ?{bare}"), ids);
        // A savepoint, so that only the deletion is rolled back if another table references the row.
        let deleted = self.link.savepoint(|link| {
            if let Link::Postgres(connection) = link {
                // Checks deferred foreign keys here, not at the commit.
                connection.batch_execute("SET CONSTRAINTS ALL IMMEDIATE")?;
            }
            link.execute(delete)
        });
        if let Err(Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, information)) = &deleted {
            let by = information.table_name().unwrap_or("another table").to_owned();
            return self.keep_row(id, now, by);
        }
        Ok(if self.check(deleted)? == 1 { Remains::Nothing } else { Remains::Rows })
    }
}

impl Transaction<'_> {
    /// Deletes up to `limit` rows of an account from a table that no other table references.
    fn delete_from(&mut self, table: &str, id: UserId, limit: u32) -> Result<u64, StoreError> {
        let mut own = format!("SELECT id FROM {table} WHERE user_id = ? LIMIT ?");
        if table == "refresh_tokens" && matches!(self.link, Link::Postgres(_)) {
            // Locks the tokens in the same order as rotations do.
            own = format!(
                "SELECT token.id FROM ({own}) AS chosen JOIN refresh_tokens AS token ON token.id = chosen.id \
                 ORDER BY token.jti COLLATE \"C\" FOR UPDATE OF token"
            );
        }
        let delete = format!("DELETE FROM {table} WHERE id IN ({own})");
        let deleted = self.change(Statement::<()>::new(delete, [id.get().into(), limit.into()]))?;
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
    }

    /// Deletes up to `limit` rows: events first, then the sessions that have none left.
    fn delete_sessions(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
        let ids = self.lock_sessions(id, limit)?;
        if ids.is_empty() {
            return Ok(0);
        }
        let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let (event, of_list) = self.link.event_key();
        let events = self.change(diesel::sql_query(format!(
            "DELETE FROM session_events WHERE {event} IN \
             (SELECT {of_list} FROM session_events AS event WHERE event.session_id IN ({list}) LIMIT {limit})"
        )))?;
        let events = u32::try_from(events).unwrap_or(limit);
        if events >= limit {
            return Ok(u64::from(events));
        }
        // These sessions have no events left.
        let room = usize::try_from(limit.saturating_sub(events)).unwrap_or_default();
        let bare = sessions::table.filter(sessions::id.eq_any(ids.iter().take(room)));
        let deleted = self.change(diesel::delete(bare))?;
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX).saturating_add(u64::from(events)))
    }

    /// Moves the account to the end of the purge queue, behind accounts that can be deleted.
    fn keep_row(&mut self, id: UserId, now: DateTime<Utc>, by: String) -> Result<Remains, StoreError> {
        let later = users::deleted_at.eq(DbTimestamp::new(now));
        self.change(diesel::update(users::table.find(id.get())).set(later))?;
        Ok(Remains::Referenced { by })
    }

    /// Returns whether the account is marked as deleted, and locks its row. SQLite has one writer, so
    /// nothing is locked there.
    fn lock_deleted(&mut self, id: UserId) -> Result<bool, StoreError> {
        self.require_write()?;
        let query = marked(id.get()).select(users::id);
        let found = match &mut self.link {
            Link::Sqlite(connection) => query.first::<i64>(*connection),
            Link::Postgres(connection) => query.for_update().first::<i64>(*connection),
        };
        Ok(self.check(found.optional())?.is_some())
    }

    /// Returns the ids of up to `limit` sessions, and locks their rows like [`Self::lock_deleted`].
    fn lock_sessions(&mut self, id: UserId, limit: u32) -> Result<Vec<i64>, StoreError> {
        let query = sessions::table.filter(sessions::user_id.eq(id.get())).limit(i64::from(limit)).select(sessions::id);
        let ids = match &mut self.link {
            Link::Sqlite(connection) => query.load(*connection),
            Link::Postgres(connection) => query.for_update().load(*connection),
        };
        self.check(ids)
    }

    /// Returns the table that references the account, on SQLite: its error names no table, and a violated
    /// deferred constraint would fail the commit that other callers share. PostgreSQL's error names the
    /// table when the deletion fails.
    fn referenced_by(&mut self, id: UserId) -> Result<Option<String>, StoreError> {
        let Link::Sqlite(connection) = &mut self.link else { return Ok(None) };
        let references = references(connection);
        for reference in self.check(references)?.into_iter().filter(|reference| !reference.passes) {
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let (table, column) = (quoted(&reference.table_name), quoted(&reference.from_column));
            // A foreign key on another column, such as the email, was checked when that column changed.
            if reference.to_column == "id" {
                let found = format!("EXISTS (SELECT 1 FROM {table} WHERE {column} = {id})");
                if self.one(diesel::select(sql::<Bool>(&found)))? {
                    return Ok(Some(reference.table_name));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseUrl, Migrations, PostgresStore, SqliteStore, StoreOptions};
    use diesel::sql_types::Text;
    use portcullis_testkit::FixedClock;
    use portcullis_testkit::postgres::Server;
    use std::sync::Arc;

    /// A new table with a `user_id` must be added to the list, or an account's rows would stay.
    #[test]
    fn every_table_with_a_user_id_is_emptied() {
        let mut listed = OWNED;
        listed.sort_unstable();
        let clock = || Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db");
        SqliteStore::open(&file, &StoreOptions::default(), clock()).unwrap().migrate().unwrap();
        let tables = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c \
            WHERE m.type = 'table' AND c.name = 'user_id' ORDER BY 1";
        let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        assert_eq!(sql::<Text>(tables).load::<String>(&mut connection).unwrap(), listed);

        let database = Server::shared().create_database();
        let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&database.url).unwrap() else { unreachable!() };
        PostgresStore::new(&url, &StoreOptions::default(), clock()).migrate().unwrap();
        let tables = "SELECT table_name::text FROM information_schema.columns \
            WHERE table_schema = 'public' AND column_name = 'user_id' ORDER BY 1";
        let mut connection = PgConnection::establish(&database.url).unwrap();
        assert_eq!(sql::<Text>(tables).load::<String>(&mut connection).unwrap(), listed);
    }
}
