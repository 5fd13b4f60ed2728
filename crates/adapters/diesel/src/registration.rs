//! Accounts, as rows of `users`.

use crate::canonical::CanonicalEmail;
use crate::password::StoredPassword;
use crate::schema::users;
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::{exists, max, min, sql};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::BigInt;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};
use portcullis_ports::{EmailChange, StoreError, UserRepository};

/// Row of an account.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: i64,
    email: Stored<String>,
    hashed_password: StoredPassword,
    is_active: Stored<bool>,
    created_at: Stored<DateTime<Utc>>,
    email_verified_at: Option<Stored<DateTime<Utc>>>,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "users", id: row.id };
        let verified = row.email_verified_at.map(|time| at.read("email_verified_at", time));
        Ok(Self {
            id: UserId::new(row.id),
            email: EmailAddress::from_stored(at.read("email", row.email)?),
            password: row.hashed_password.into(),
            is_active: at.read("is_active", row.is_active)?,
            created_at: at.read("created_at", row.created_at)?,
            email_verified_at: verified.transpose()?,
        })
    }
}

/// Returns the accounts whose rows can be read and logs the others. An error would reveal to the client
/// that the account exists.
fn readable(rows: Vec<UserRow>) -> Vec<User> {
    let log = |error: &StoreError| tracing::error!(target: "app", %error, "An account cannot be read");
    rows.into_iter().filter_map(|row| User::try_from(row).inspect_err(log).ok()).collect()
}

/// Error for a taken id, which is a fault of the database. The caller gets a conflict only for a taken
/// email address.
const TAKEN_ID: &str = "the id of a new account is taken: the sequence of users.id is behind, see `portcullis doctor`";

macro_rules! user_repository {
    ($connection:ty) => {
        impl UserRepository for Transaction<'_, $connection> {
            /// The unique index decides races. The query before the insert finds adopted accounts that
            /// the index excludes; their number never grows. The query after the insert distinguishes a
            /// taken email address from a taken id.
            fn insert(&mut self, new: &NewUser) -> Result<Option<User>, StoreError> {
                self.write_connection()?;
                if self.is_taken(&new.email)? {
                    return Ok(None);
                }
                let row = self.insert_row(new);
                match self.check(row)? {
                    Some(row) => User::try_from(row).map(Some),
                    None if self.is_taken(&new.email)? => Ok(None),
                    None => Err(self.fail(StoreError::Failed(TAKEN_ID.to_owned()))),
                }
            }

            fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
                let query = users::table.find(id.get()).filter(users::deleted_at.is_null());
                let row = query.select(UserRow::as_select()).first(self.connection).optional();
                self.check(row)?.map(User::try_from).transpose()
            }

            fn find_by_email(&mut self, email: &EmailAddress) -> Result<Vec<User>, StoreError> {
                let same = users::table.filter(CanonicalEmail.eq(email.canonical()));
                let query = same.filter(users::deleted_at.is_null()).order(users::id);
                let rows = query.select(UserRow::as_select()).load(self.connection);
                Ok(readable(self.check(rows)?))
            }

            fn list(&mut self, after: Option<UserId>, limit: u32) -> Result<Vec<Result<User, StoreError>>, StoreError> {
                let beyond = users::table.filter(users::id.gt(after.map_or(i64::MIN, UserId::get)));
                let query = beyond.filter(users::deleted_at.is_null()).order(users::id).limit(i64::from(limit));
                let rows = query.select(UserRow::as_select()).load(self.connection);
                Ok(self.check(rows)?.into_iter().map(User::try_from).collect())
            }

            fn set_active(&mut self, id: UserId, is_active: bool) -> Result<bool, StoreError> {
                let kept = users::table.find(id.get()).filter(users::deleted_at.is_null());
                let update =
                    diesel::update(kept.filter(users::is_active.ne(is_active))).set(users::is_active.eq(is_active));
                let changed = update.execute(self.write_connection()?);
                Ok(self.check(changed)? == 1)
            }

            fn password_still_current(&mut self, id: UserId, password: &PasswordHash) -> Result<bool, StoreError> {
                self.admits_with(id, password)
            }

            fn sample_passwords(&mut self, ranges: u32, each: u32) -> Result<Vec<PasswordHash>, StoreError> {
                // Two queries: SQLite uses the index for `min` or `max` alone, but scans the table for
                // both.
                let first = users::table.select(min(users::id)).first::<Option<i64>>(self.connection);
                let first = self.check(first)?;
                let last = users::table.select(max(users::id)).first::<Option<i64>>(self.connection);
                let (Some(first), Some(last)) = (first, self.check(last)?) else { return Ok(Vec::new()) };
                let mut sample = Vec::new();
                for (start, end) in split(first, last, ranges) {
                    let range = users::table.filter(users::id.between(start, end));
                    let range = range.filter(users::deleted_at.is_null()).order(users::id).limit(i64::from(each));
                    let range = range.select(users::hashed_password);
                    let hashes = range.load::<StoredPassword>(self.connection);
                    sample.extend(self.check(hashes)?.into_iter().map(PasswordHash::from));
                }
                Ok(sample)
            }

            fn replace_password(
                &mut self,
                id: UserId,
                read: &PasswordHash,
                new: &PasswordHash,
            ) -> Result<bool, StoreError> {
                if StoredPassword::is_unreadable(read) {
                    // SQL cannot compare an unreadable value, so it is compared here under the row lock.
                    let stored = self.stored_password(id)?.map(PasswordHash::from);
                    if stored.as_ref() != Some(read) {
                        return Ok(false);
                    }
                    let update = diesel::update(users::table.find(id.get()).filter(users::deleted_at.is_null()));
                    let replaced = update.set(users::hashed_password.eq(new.expose())).execute(self.connection);
                    return Ok(self.check(replaced)? == 1);
                }
                let unchanged = users::table.find(id.get()).filter(users::hashed_password.eq(read.expose()));
                let update = diesel::update(unchanged.filter(users::deleted_at.is_null()));
                let update = update.set(users::hashed_password.eq(new.expose()));
                let replaced = update.execute(self.write_connection()?);
                Ok(self.check(replaced)? == 1)
            }

            fn verify_email(
                &mut self,
                id: UserId,
                email: &EmailAddress,
                at: DateTime<Utc>,
            ) -> Result<bool, StoreError> {
                let unverified = users::table
                    .find(id.get())
                    .filter(users::email.eq(email.original()))
                    .filter(users::email_verified_at.is_null());
                let update = diesel::update(unverified).set(users::email_verified_at.eq(DbTimestamp::new(at)));
                let verified = update.execute(self.write_connection()?);
                Ok(self.check(verified)? == 1)
            }

            /// The unique index decides races, as in [`insert`](UserRepository::insert). From now on it
            /// includes an account that was adopted with a case conflict.
            fn change_email(
                &mut self,
                id: UserId,
                read: &EmailAddress,
                new: &EmailAddress,
                at: DateTime<Utc>,
            ) -> Result<EmailChange, StoreError> {
                let own = users::table.find(id.get()).filter(users::email.eq(read.original()));
                let current = diesel::select(exists(own)).get_result(self.write_connection()?);
                if !self.check(current)? {
                    return Ok(EmailChange::Outdated);
                }
                let same = users::table.filter(CanonicalEmail.eq(new.canonical())).filter(users::id.ne(id.get()));
                let taken = diesel::select(exists(same)).get_result(self.connection);
                if self.check(taken)? {
                    return Ok(EmailChange::Taken);
                }
                let values = (
                    users::email.eq(new.canonical()),
                    users::email_verified_at.eq(DbTimestamp::new(at)),
                    users::email_case_sensitive.eq(false),
                );
                // A savepoint, so that a unique violation undoes only this statement.
                let changed = self.connection.transaction(|part| diesel::update(own).set(values).execute(part));
                if let Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) = changed {
                    return Ok(EmailChange::Taken);
                }
                let changed = self.check(changed)? == 1;
                Ok(if changed { EmailChange::Changed } else { EmailChange::Outdated })
            }
        }

        impl Transaction<'_, $connection> {
            /// Returns whether an account has this email address, ignoring ASCII case.
            fn is_taken(&mut self, email: &EmailAddress) -> Result<bool, StoreError> {
                let same = users::table.filter(CanonicalEmail.eq(email.canonical()));
                let taken = diesel::select(exists(same)).get_result(self.connection);
                self.check(taken)
            }
        }
    };
}

user_repository!(SqliteConnection);
user_repository!(PgConnection);

/// Columns of a new account, without its id.
macro_rules! new_account {
    ($new:expr) => {
        (
            users::email.eq($new.email.canonical()),
            users::hashed_password.eq($new.password.expose()),
            users::is_active.eq(true),
            users::created_at.eq(DbTimestamp::new($new.created_at)),
        )
    };
}

/// Next id on SQLite. Never reuses the id of a deleted account, even in a table that was adopted without
/// AUTOINCREMENT.
const NEXT_ID: &str =
    "(SELECT max(coalesce((SELECT max(id) FROM users), 0), largest) + 1 FROM user_ids WHERE user_ids.id = 1)";

/// Selects the account if it is active, not deleted, and still has this password hash.
macro_rules! admitting {
    ($id:expr, $password:expr) => {
        users::table
            .find($id.get())
            .filter(users::is_active.eq(true))
            .filter(users::hashed_password.eq($password.expose()))
            .filter(users::deleted_at.is_null())
            .select(users::id)
    };
}

/// Returns the first and last id of each of at most `ranges` ranges of equal length.
fn split(first: i64, last: i64, ranges: u32) -> impl Iterator<Item = (i64, i64)> {
    let length = last.abs_diff(first) / u64::from(ranges.max(1)) + 1;
    (0..u64::from(ranges)).map_while(move |range| {
        let start = first.checked_add_unsigned(range.checked_mul(length)?)?;
        (start <= last).then_some((start, start.saturating_add_unsigned(length - 1)))
    })
}

impl Transaction<'_, SqliteConnection> {
    fn insert_row(&mut self, new: &NewUser) -> QueryResult<Option<UserRow>> {
        let values = (users::id.eq(sql::<BigInt>(NEXT_ID)), new_account!(new));
        let insert = diesel::insert_into(users::table).values(values).on_conflict_do_nothing();
        insert.returning(UserRow::as_returning()).get_result(self.connection).optional()
    }

    /// No lock needed: SQLite has one writer.
    fn stored_password(&mut self, id: UserId) -> Result<Option<StoredPassword>, StoreError> {
        let query = users::table.find(id.get()).select(users::hashed_password);
        let stored = query.first::<StoredPassword>(self.write_connection()?).optional();
        self.check(stored)
    }

    /// No lock needed: SQLite has one writer.
    fn admits_with(&mut self, id: UserId, password: &PasswordHash) -> Result<bool, StoreError> {
        let admitting = admitting!(id, password).first::<i64>(self.write_connection()?).optional();
        Ok(self.check(admitting)?.is_some())
    }
}

impl Transaction<'_, PgConnection> {
    /// Reads the hash and locks the account's row.
    fn stored_password(&mut self, id: UserId) -> Result<Option<StoredPassword>, StoreError> {
        let query = users::table.find(id.get()).select(users::hashed_password).for_no_key_update();
        let stored = query.first::<StoredPassword>(self.write_connection()?).optional();
        self.check(stored)
    }

    fn insert_row(&mut self, new: &NewUser) -> QueryResult<Option<UserRow>> {
        let insert = diesel::insert_into(users::table).values(new_account!(new)).on_conflict_do_nothing();
        insert.returning(UserRow::as_returning()).get_result(self.connection).optional()
    }

    /// Takes a shared row lock, so that concurrent checks do not wait for each other.
    fn admits_with(&mut self, id: UserId, password: &PasswordHash) -> Result<bool, StoreError> {
        let admitting = admitting!(id, password).for_share().first::<i64>(self.write_connection()?).optional();
        Ok(self.check(admitting)?.is_some())
    }
}
