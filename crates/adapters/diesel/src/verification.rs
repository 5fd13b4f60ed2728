//! One-time tokens, as rows of `one_time_tokens`. Only the digest of a token is stored. Tokens are
//! consumed by a `DELETE` that counts the affected rows, so exactly one concurrent caller succeeds on
//! both databases.

use crate::engine::columns_of;
use crate::schema::one_time_tokens;
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::{auto_type, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::upsert::excluded;
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::verification::{OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{OneTimeTokenRepository, StoreError};

/// Row of a one-time token.
#[derive(Queryable, Selectable)]
#[diesel(table_name = one_time_tokens)]
struct GrantRow {
    id: i64,
    digest: Stored<Vec<u8>>,
    purpose: Stored<String>,
    user_id: Stored<i64>,
    email: Stored<String>,
    password_version: Stored<Vec<u8>>,
    expires_at: Stored<DateTime<Utc>>,
}

impl TryFrom<GrantRow> for OneTimeTokenRecord {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "one_time_tokens", id: row.id };
        let purpose = Purpose::parse(&at.read("purpose", row.purpose)?);
        Ok(Self {
            digest: TokenDigest::new(at.code("digest", row.digest)?),
            purpose: purpose.ok_or_else(|| at.corrupt("purpose", "not a purpose"))?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            email: EmailAddress::from_stored(at.read("email", row.email)?),
            password: PasswordVersion::new(at.code("password_version", row.password_version)?),
            expires_at: at.read("expires_at", row.expires_at)?,
        })
    }
}

/// Row of a new one-time token.
#[derive(Insertable)]
#[diesel(table_name = one_time_tokens, treat_none_as_default_value = false)]
struct NewGrantRow<'a> {
    digest: &'a [u8],
    purpose: &'static str,
    user_id: i64,
    slot: &'a str,
    email: &'a str,
    password_version: &'a [u8],
    expires_at: DbTimestamp,
}

impl<'a> NewGrantRow<'a> {
    fn of(record: &'a OneTimeTokenRecord) -> Self {
        let by_address = record.purpose == Purpose::UndoEmailChange;
        Self {
            digest: record.digest.as_bytes(),
            purpose: record.purpose.as_str(),
            user_id: record.user_id.get(),
            slot: if by_address { record.email.canonical() } else { "" },
            email: record.email.original(),
            password_version: record.password.as_bytes(),
            expires_at: DbTimestamp::new(record.expires_at),
        }
    }
}

/// Returns the purposes of tokens that a change of password or email address invalidates.
fn short_lived() -> Vec<&'static str> {
    Purpose::ALL.into_iter().filter(|purpose| !purpose.survives_credential_change()).map(Purpose::as_str).collect()
}

/// Selects a user's tokens.
#[auto_type]
fn owned_by(user_id: i64) -> _ {
    one_time_tokens::table.filter(one_time_tokens::user_id.eq(user_id))
}

/// Selects the token with this digest.
#[auto_type]
fn with_digest<'a>(digest: &'a [u8]) -> _ {
    one_time_tokens::table.filter(one_time_tokens::digest.eq(digest))
}

impl OneTimeTokenRepository for Transaction<'_> {
    fn upsert(&mut self, record: &OneTimeTokenRecord) -> Result<(), StoreError> {
        let insert = diesel::insert_into(one_time_tokens::table).values(NewGrantRow::of(record));
        let upsert = insert
            .on_conflict((one_time_tokens::user_id, one_time_tokens::purpose, one_time_tokens::slot))
            .do_update()
            .set((
                one_time_tokens::digest.eq(excluded(one_time_tokens::digest)),
                one_time_tokens::email.eq(excluded(one_time_tokens::email)),
                one_time_tokens::password_version.eq(excluded(one_time_tokens::password_version)),
                one_time_tokens::expires_at.eq(excluded(one_time_tokens::expires_at)),
            ));
        self.change(upsert).map(drop)
    }

    fn extend(&mut self, digest: TokenDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let expires_at = one_time_tokens::expires_at.eq(DbTimestamp::new(expires_at));
        self.changed_one(diesel::update(with_digest(digest.as_bytes())).set(expires_at))
    }

    fn find(&mut self, digest: TokenDigest) -> Result<Option<OneTimeTokenRecord>, StoreError> {
        let row = self.first::<GrantRow>(with_digest(digest.as_bytes()).select(columns_of::<GrantRow>()))?;
        row.map(OneTimeTokenRecord::try_from).transpose()
    }

    fn consume(&mut self, digest: TokenDigest) -> Result<bool, StoreError> {
        self.changed_one(diesel::delete(with_digest(digest.as_bytes())))
    }

    fn revoke_all(&mut self, user_id: UserId) -> Result<(), StoreError> {
        let mortal = owned_by(user_id.get()).filter(one_time_tokens::purpose.eq_any(short_lived()));
        self.change(diesel::delete(mortal)).map(drop)
    }

    fn rebind(&mut self, user_id: UserId, old: &PasswordVersion, new: &PasswordVersion) -> Result<(), StoreError> {
        let bound = owned_by(user_id.get()).filter(one_time_tokens::password_version.eq(old.as_bytes().as_slice()));
        let new = one_time_tokens::password_version.eq(new.as_bytes().as_slice());
        self.change(diesel::update(bound).set(new)).map(drop)
    }

    fn delete_superseded(&mut self, undo: &OneTimeTokenRecord) -> Result<(), StoreError> {
        let other = one_time_tokens::purpose.ne(Purpose::UndoEmailChange.as_str());
        let later = one_time_tokens::expires_at.ge(DbTimestamp::new(undo.expires_at));
        self.change(diesel::delete(owned_by(undo.user_id.get()).filter(other.or(later)))).map(drop)
    }

    fn delete_for_user(&mut self, user_id: UserId) -> Result<(), StoreError> {
        self.change(diesel::delete(owned_by(user_id.get()))).map(drop)
    }

    fn find_reclaimer(&mut self, email: &EmailAddress, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
        let undo = one_time_tokens::table
            .filter(one_time_tokens::slot.eq(email.canonical()))
            // Spelled exactly like the partial index, which is not used otherwise.
            .filter(sql::<Bool>("slot <> ''"))
            .filter(one_time_tokens::purpose.eq(Purpose::UndoEmailChange.as_str()))
            .filter(one_time_tokens::expires_at.gt(DbTimestamp::new(now)))
            .order(one_time_tokens::id);
        Ok(self.first::<i64>(undo.select(one_time_tokens::user_id))?.map(UserId::new))
    }

    fn purge(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge_oldest("one_time_tokens", "expires_at", cutoff, limit)
    }
}
