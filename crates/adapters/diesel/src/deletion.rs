//! Deletes accounts with all their rows, in batches.
//!
//! Concurrent transactions must not add rows for a deleted account, and session events have no foreign
//! key that would prevent it. A rotation locks the row of the token. A login, and the first refresh of
//! a token, lock the row of the account. Adding a session event locks the row of the session. Therefore
//! tokens are deleted before sessions, sessions are locked before their events are deleted, and the
//! account is locked before the final check.

use crate::schema::{one_time_tokens, outbox, refresh_tokens, sessions, users};
use crate::sessions::Dialect;
use crate::sqlite::references;
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Bool};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, StoreError, UserDeletion};

/// Returns the placeholder email of a deleted account. It is unique, and no valid email address because
/// it has no @-sign.
fn tombstone_email(id: UserId) -> String {
    format!("deleted:{id}")
}

/// Password hash that no password matches.
const DISABLED_HASH: &str = "!";

/// Deletes up to `$limit` rows of an account from a table that no other table references.
macro_rules! delete_own {
    ($tx:expr, $table:ident, $id:expr, $limit:expr) => {{
        let own = $table::table.filter($table::user_id.eq($id.get())).limit(i64::from($limit));
        let own = own.select($table::id).load::<i64>($tx.connection);
        let own = $tx.check(own)?;
        if own.is_empty() {
            return Ok(0);
        }
        let deleted = diesel::delete($table::table.filter($table::id.eq_any(own))).execute($tx.connection);
        Ok(u64::try_from($tx.check(deleted)?).unwrap_or(u64::MAX))
    }};
}

macro_rules! user_deletion {
    ($connection:ty, $database:ty) => {
        impl UserDeletion for Transaction<'_, $connection> {
            fn mark_deleted(&mut self, id: UserId, now: DateTime<Utc>) -> Result<bool, StoreError> {
                let kept = users::table.find(id.get()).filter(users::deleted_at.is_null());
                let update = diesel::update(kept).set((
                    users::deleted_at.eq(DbTimestamp::new(now)),
                    users::is_active.eq(false),
                    users::email.eq(tombstone_email(id)),
                    users::hashed_password.eq(DISABLED_HASH),
                    users::email_verified_at.eq(None::<DbTimestamp>),
                ));
                let begun = update.execute(self.write_connection()?);
                Ok(self.check(begun)? == 1)
            }

            fn list_marked_deleted(&mut self, limit: u32) -> Result<Vec<UserId>, StoreError> {
                let query = users::table.filter(users::deleted_at.is_not_null()).order(users::deleted_at);
                let ids = query.limit(i64::from(limit)).select(users::id).load(self.connection);
                Ok(self.check(ids)?.into_iter().map(UserId::new).collect())
            }

            fn delete_owned_rows(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
                let known = users::table.find(id.get()).filter(users::deleted_at.is_not_null());
                let known = diesel::select(exists(known)).get_result::<bool>(self.write_connection()?);
                if !self.check(known)? {
                    return Ok(0);
                }
                let delete = diesel::sql_query(<$database>::DELETE_TOKENS);
                let delete = delete.bind::<BigInt, _>(id.get()).bind::<BigInt, _>(i64::from(limit));
                let tokens = delete.execute(self.connection);
                let tokens = u32::try_from(self.check(tokens)?).unwrap_or(limit);
                let mut stripped = u64::from(tokens);
                for strip in [Self::strip_sessions, Self::strip_one_time_tokens, Self::strip_mails] {
                    let rest = u64::from(limit).saturating_sub(stripped);
                    if let Some(rest) = u32::try_from(rest).ok().filter(|rest| *rest > 0) {
                        stripped = stripped.saturating_add(strip(self, id, rest)?);
                    }
                }
                Ok(stripped)
            }

            fn delete_row_if_empty(&mut self, id: UserId, now: DateTime<Utc>) -> Result<Remains, StoreError> {
                if !self.lock_deleted(id)? {
                    return Ok(Remains::Nothing);
                }
                if let Some(by) = self.referenced_by(id)? {
                    return self.keep_row(id, now, by);
                }
                let tokens = refresh_tokens::table.filter(refresh_tokens::user_id.eq(id.get()));
                let bare = users::table
                    .find(id.get())
                    .filter(not(exists(tokens)))
                    .filter(not(exists(sessions::table.filter(sessions::user_id.eq(id.get())))))
                    .filter(not(exists(one_time_tokens::table.filter(one_time_tokens::user_id.eq(id.get())))))
                    .filter(not(exists(outbox::table.filter(outbox::user_id.eq(id.get())))));
                // A savepoint, so that only the deletion is rolled back if another table references the
                // row.
                let deleted = self.connection.transaction(|part| {
                    part.batch_execute(<$database>::CHECK_REFERENCES_AT_ONCE)?;
                    diesel::delete(bare).execute(part)
                });
                if let Err(Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, information)) = &deleted {
                    let by = information.table_name().unwrap_or("another table").to_owned();
                    return self.keep_row(id, now, by);
                }
                Ok(if self.check(deleted)? == 1 { Remains::Nothing } else { Remains::Rows })
            }
        }

        impl Transaction<'_, $connection> {
            /// Deletes up to `limit` rows: events first, then the sessions that have none left.
            fn strip_sessions(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
                let ids = self.lock_sessions(id, limit)?;
                if ids.is_empty() {
                    return Ok(0);
                }
                let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                let (event, of_list) = (<$database>::EVENT, <$database>::EVENT_OF_LIST);
                let events = diesel::sql_query(format!(
                    "DELETE FROM session_events WHERE {event} IN \
                     (SELECT {of_list} FROM session_events AS event WHERE event.session_id IN ({list}) LIMIT {limit})"
                ));
                let events = events.execute(self.connection);
                let events = u32::try_from(self.check(events)?).unwrap_or(limit);
                if events >= limit {
                    return Ok(u64::from(events));
                }
                // These sessions have no events left.
                let room = usize::try_from(limit.saturating_sub(events)).unwrap_or_default();
                let bare = sessions::table.filter(sessions::id.eq_any(ids.iter().take(room)));
                let deleted = diesel::delete(bare).execute(self.connection);
                Ok(u64::try_from(self.check(deleted)?).unwrap_or(u64::MAX).saturating_add(u64::from(events)))
            }

            /// Moves the account to the end of the purge queue, behind accounts that can be deleted.
            fn keep_row(&mut self, id: UserId, now: DateTime<Utc>, by: String) -> Result<Remains, StoreError> {
                let update = diesel::update(users::table.find(id.get())).set(users::deleted_at.eq(DbTimestamp::new(now)));
                let updated = update.execute(self.connection);
                self.check(updated)?;
                Ok(Remains::Referenced { by })
            }

            fn strip_one_time_tokens(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
                delete_own!(self, one_time_tokens, id, limit)
            }

            fn strip_mails(&mut self, id: UserId, limit: u32) -> Result<u64, StoreError> {
                delete_own!(self, outbox, id, limit)
            }
        }
    };
}

user_deletion!(SqliteConnection, diesel::sqlite::Sqlite);
user_deletion!(PgConnection, diesel::pg::Pg);

/// Ids of an account's sessions, up to `$limit`.
macro_rules! first_sessions {
    ($id:expr, $limit:expr) => {
        sessions::table.filter(sessions::user_id.eq($id.get())).limit(i64::from($limit)).select(sessions::id)
    };
}

/// SQLite has one writer, so nothing needs to be locked.
impl Transaction<'_, SqliteConnection> {
    fn lock_deleted(&mut self, id: UserId) -> Result<bool, StoreError> {
        let query = users::table.find(id.get()).filter(users::deleted_at.is_not_null()).select(users::id);
        let found = query.first::<i64>(self.write_connection()?).optional();
        Ok(self.check(found)?.is_some())
    }

    fn lock_sessions(&mut self, id: UserId, limit: u32) -> Result<Vec<i64>, StoreError> {
        let ids = first_sessions!(id, limit).load(self.connection);
        self.check(ids)
    }

    /// Checks foreign keys before the deletion: SQLite's error names no table, and a violated deferred
    /// constraint would fail the commit that other callers share.
    fn referenced_by(&mut self, id: UserId) -> Result<Option<String>, StoreError> {
        let references = references(self.connection);
        for reference in self.check(references)?.into_iter().filter(|reference| !reference.passes) {
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let (table, column) = (quoted(&reference.table_name), quoted(&reference.from_column));
            // A foreign key on another column, such as the email, was checked when that column changed.
            if reference.to_column == "id" {
                let found = format!("EXISTS (SELECT 1 FROM {table} WHERE {column} = {id})");
                let found = diesel::select(sql::<Bool>(&found)).get_result::<bool>(self.connection);
                if self.check(found)? {
                    return Ok(Some(reference.table_name));
                }
            }
        }
        Ok(None)
    }
}

impl Transaction<'_, PgConnection> {
    fn lock_deleted(&mut self, id: UserId) -> Result<bool, StoreError> {
        let query = users::table.find(id.get()).filter(users::deleted_at.is_not_null()).select(users::id);
        let found = query.for_update().first::<i64>(self.write_connection()?).optional();
        Ok(self.check(found)?.is_some())
    }

    fn lock_sessions(&mut self, id: UserId, limit: u32) -> Result<Vec<i64>, StoreError> {
        let ids = first_sessions!(id, limit).for_update().load(self.connection);
        self.check(ids)
    }

    /// Returns `None`: PostgreSQL's error names the table when the deletion fails.
    fn referenced_by(&mut self, _: UserId) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}
