//! Accounts, as rows of `users`.

use crate::canonical::CanonicalEmail;
use crate::engine::{Link, columns_of};
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
            is_active: at.read("is_active", row.is_active)?,
            created_at: at.read("created_at", row.created_at)?,
            email_verified_at: verified.transpose()?,
        })
    }
}

/// Returns the accounts whose rows can be read and logs the others. An error would reveal to the client
/// that the account exists.
pub(crate) fn readable<T>(rows: impl Iterator<Item = Result<T, StoreError>>) -> Vec<T> {
    let log = |error: &StoreError| tracing::error!(target: "app", %error, "An account cannot be read");
    rows.filter_map(|row| row.inspect_err(log).ok()).collect()
}

/// Error for a taken id, which is a fault of the database. The caller gets a conflict only for a taken
/// email address.
const TAKEN_ID: &str = "the id of a new account is taken: the sequence of users.id is behind, see `portcullis doctor`";

impl UserRepository for Transaction<'_> {
    /// The unique index decides races. The query before the insert finds adopted accounts that the index
    /// excludes; their number never grows. The query after the insert distinguishes a taken email address
    /// from a taken id.
    fn insert(&mut self, new: &NewUser) -> Result<Option<User>, StoreError> {
        self.require_write()?;
        if self.is_taken(&new.email)? {
            return Ok(None);
        }
        match self.insert_row(new)? {
            Some(row) => User::try_from(row).map(Some),
            None if self.is_taken(&new.email)? => Ok(None),
            None => Err(self.fail(StoreError::Failed(TAKEN_ID.to_owned()))),
        }
    }

    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let query = users::table.find(id.get()).filter(users::deleted_at.is_null()).select(columns_of::<UserRow>());
        self.first::<UserRow>(query)?.map(User::try_from).transpose()
    }

    fn find_by_email(&mut self, email: &EmailAddress) -> Result<Vec<User>, StoreError> {
        let same = users::table.filter(CanonicalEmail.eq(email.canonical()));
        let query = same.filter(users::deleted_at.is_null()).order(users::id).select(columns_of::<UserRow>());
        Ok(readable(self.load::<UserRow>(query)?.into_iter().map(User::try_from)))
    }

    fn list(&mut self, after: Option<UserId>, limit: u32) -> Result<Vec<Result<User, StoreError>>, StoreError> {
        let beyond = users::table.filter(users::id.gt(after.map_or(i64::MIN, UserId::get)));
        let query = beyond.filter(users::deleted_at.is_null()).order(users::id).limit(i64::from(limit));
        let rows = self.load::<UserRow>(query.select(columns_of::<UserRow>()))?;
        Ok(rows.into_iter().map(User::try_from).collect())
    }

    fn set_active(&mut self, id: UserId, is_active: bool) -> Result<bool, StoreError> {
        let kept = users::table.find(id.get()).filter(users::deleted_at.is_null());
        self.changed_one(
            diesel::update(kept.filter(users::is_active.ne(is_active))).set(users::is_active.eq(is_active)),
        )
    }

    fn sample_passwords(&mut self, ranges: u32, each: u32) -> Result<Vec<PasswordHash>, StoreError> {
        // Two queries: SQLite uses the index for `min` or `max` alone, but scans the table for both.
        let first = self.one::<Option<i64>>(users::table.select(min(users::id)).limit(1))?;
        let last = self.one::<Option<i64>>(users::table.select(max(users::id)).limit(1))?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
        let mut sample = Vec::new();
        for (start, end) in split(first, last, ranges) {
            let range = users::table.filter(users::id.between(start, end));
            let range = range.filter(users::deleted_at.is_null()).order(users::id).limit(i64::from(each));
            let hashes = self.load::<StoredPassword>(range.select(users::hashed_password))?;
            sample.extend(hashes.into_iter().map(StoredPassword::into_hash));
        }
        Ok(sample)
    }

    fn verify_email(&mut self, id: UserId, email: &EmailAddress, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let unverified = users::table
            .find(id.get())
            .filter(users::email.eq(email.original()))
            .filter(users::email_verified_at.is_null());
        self.changed_one(diesel::update(unverified).set(users::email_verified_at.eq(DbTimestamp::new(at))))
    }

    /// The unique index decides races, as in [`insert`](UserRepository::insert). From now on it includes
    /// an account that was adopted with a case conflict.
    fn change_email(
        &mut self,
        id: UserId,
        read: &EmailAddress,
        new: &EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<EmailChange, StoreError> {
        self.require_write()?;
        let own = users::table.find(id.get()).filter(users::email.eq(read.original()));
        if !self.one::<bool>(diesel::select(exists(own)))? {
            return Ok(EmailChange::Outdated);
        }
        let same = users::table.filter(CanonicalEmail.eq(new.canonical())).filter(users::id.ne(id.get()));
        if self.one(diesel::select(exists(same)))? {
            return Ok(EmailChange::Taken);
        }
        let values = (
            users::email.eq(new.canonical()),
            users::email_verified_at.eq(DbTimestamp::new(at)),
            users::email_case_sensitive.eq(false),
        );
        // A savepoint, so that a unique violation undoes only this statement.
        let changed = self.link.savepoint(|link| link.execute(diesel::update(own).set(values)));
        if let Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) = changed {
            return Ok(EmailChange::Taken);
        }
        let changed = self.check(changed)? == 1;
        self.written |= changed;
        Ok(if changed { EmailChange::Changed } else { EmailChange::Outdated })
    }
}

impl Transaction<'_> {
    /// Returns whether an account has this email address, ignoring ASCII case.
    fn is_taken(&mut self, email: &EmailAddress) -> Result<bool, StoreError> {
        let same = users::table.filter(CanonicalEmail.eq(email.canonical()));
        self.one(diesel::select(exists(same)))
    }

    /// Returns `None` if the email address or the id is taken.
    fn insert_row(&mut self, new: &NewUser) -> Result<Option<UserRow>, StoreError> {
        let values = (
            users::email.eq(new.email.canonical()),
            users::hashed_password.eq(new.credentials.text()),
            users::is_active.eq(true),
            users::no_password_hash.eq(new.credentials.no_password_hash().map(PasswordHash::expose)),
            users::created_at.eq(DbTimestamp::new(new.created_at)),
            users::email_verified_at.eq(new.verified_at.map(DbTimestamp::new)),
        );
        let columns = columns_of::<UserRow>();
        let inserted = match &mut self.link {
            Link::Sqlite(connection) => {
                let values = (users::id.eq(sql::<BigInt>(NEXT_ID)), values);
                let insert = diesel::insert_into(users::table).values(values).on_conflict_do_nothing();
                insert.returning(columns).get_result(*connection)
            }
            Link::Postgres(connection) => {
                let insert = diesel::insert_into(users::table).values(values).on_conflict_do_nothing();
                insert.returning(columns).get_result(*connection)
            }
        };
        self.check(inserted.optional())
    }
}

/// Next id on SQLite. Never reuses the id of a deleted account, even in a table that was adopted without
/// AUTOINCREMENT.
const NEXT_ID: &str =
    "(SELECT max(coalesce((SELECT max(id) FROM users), 0), largest) + 1 FROM user_ids WHERE user_ids.id = 1)";

/// Returns the first and last id of each of at most `ranges` ranges of equal length.
fn split(first: i64, last: i64, ranges: u32) -> impl Iterator<Item = (i64, i64)> {
    let length = last.abs_diff(first) / u64::from(ranges.max(1)) + 1;
    (0..u64::from(ranges)).map_while(move |range| {
        let start = first.checked_add_unsigned(range.checked_mul(length)?)?;
        (start <= last).then_some((start, start.saturating_add_unsigned(length - 1)))
    })
}
