//! Credentials of accounts, in `users.hashed_password`, `users.no_password_hash` and the rows of second
//! factors.

use crate::canonical::CanonicalEmail;
use crate::engine::{Link, columns_of};
use crate::factors::has_second_factor;
use crate::password::StoredPassword;
use crate::registration::{UserRow, readable};
use crate::schema::users;
use crate::transaction::Transaction;
use diesel::dsl::auto_type;
use diesel::prelude::*;
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User, UserId};
use portcullis_ports::{CredentialRepository, StoreError};

/// Stored text, hash that is no password's, and whether the account has a second factor.
#[derive(Queryable)]
pub(crate) struct CredentialRow {
    password: StoredPassword,
    no_password: Option<StoredPassword>,
    has_second_factor: bool,
}

impl From<CredentialRow> for Credentials {
    fn from(row: CredentialRow) -> Self {
        row.password.into_credentials(row.no_password.as_ref(), row.has_second_factor)
    }
}

/// Columns of a [`CredentialRow`].
#[auto_type]
pub(crate) fn credential_columns() -> _ {
    let second_factor: has_second_factor = has_second_factor();
    (users::hashed_password, users::no_password_hash, second_factor)
}

/// Account with its credentials.
type OwnerRow = (UserRow, CredentialRow);

fn owner((user, credentials): OwnerRow) -> Result<Owner, StoreError> {
    Ok(Owner { user: User::try_from(user)?, credentials: credentials.into() })
}

impl CredentialRepository for Transaction<'_> {
    fn owner(&mut self, id: UserId) -> Result<Option<Owner>, StoreError> {
        let query = users::table.find(id.get()).filter(users::deleted_at.is_null());
        let columns = (columns_of::<UserRow>(), credential_columns());
        self.first::<OwnerRow>(query.select(columns))?.map(owner).transpose()
    }

    fn owners(&mut self, email: &EmailAddress) -> Result<Vec<Owner>, StoreError> {
        let same = users::table.filter(CanonicalEmail.eq(email.canonical()));
        let query = same.filter(users::deleted_at.is_null()).order(users::id);
        let columns = (columns_of::<UserRow>(), credential_columns());
        let rows = self.load::<OwnerRow>(query.select(columns))?;
        Ok(readable(rows.into_iter().map(owner)))
    }

    /// Takes a shared row lock on PostgreSQL, so that concurrent checks do not wait for each other.
    fn still_current(&mut self, id: UserId, credentials: &Credentials) -> Result<bool, StoreError> {
        self.require_write()?;
        let query = users::table
            .find(id.get())
            .filter(users::is_active.eq(true))
            .filter(users::hashed_password.eq(credentials.text()))
            .filter(users::deleted_at.is_null())
            .select(users::id);
        let found = match &mut self.link {
            Link::Sqlite(connection) => query.first::<i64>(*connection),
            Link::Postgres(connection) => query.for_share().first::<i64>(*connection),
        };
        Ok(self.check(found.optional())?.is_some())
    }

    fn replace(&mut self, id: UserId, expected: &Credentials, new: &Credentials) -> Result<bool, StoreError> {
        let no_password = new.no_password_hash().map(PasswordHash::expose);
        let new = (users::hashed_password.eq(new.text()), users::no_password_hash.eq(no_password));
        let own = users::table.find(id.get());
        if StoredPassword::is_unreadable(expected.text()) {
            // SQL cannot compare an unreadable value, so it is compared here under the row lock.
            return Ok(self.stored_password(id)?.is_some_and(|stored| stored.is(expected.text()))
                && self.changed_one(diesel::update(own.filter(users::deleted_at.is_null())).set(new))?);
        }
        let unchanged = own.filter(users::hashed_password.eq(expected.text()));
        self.changed_one(diesel::update(unchanged.filter(users::deleted_at.is_null())).set(new))
    }
}

impl Transaction<'_> {
    /// Reads the hash and locks the account's row, which SQLite's only writer need not do.
    fn stored_password(&mut self, id: UserId) -> Result<Option<StoredPassword>, StoreError> {
        self.require_write()?;
        let query = users::table.find(id.get()).select(users::hashed_password);
        let stored = match &mut self.link {
            Link::Sqlite(connection) => query.first(*connection),
            Link::Postgres(connection) => query.for_no_key_update().first(*connection),
        };
        self.check(stored.optional())
    }
}
