//! Identities linked to accounts, as rows of `identities`. A unique index on issuer and subject decides which
//! concurrent caller links an identity.

use crate::engine::columns_of;
use crate::schema::identities;
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use portcullis_domain::providers::{Identity, IdentityId, IdentityKey, ProviderName};
use portcullis_domain::registration::UserId;
use portcullis_ports::{IdentityRepository, StoreError};

/// Row of an identity.
#[derive(Queryable, Selectable)]
#[diesel(table_name = identities)]
struct IdentityRow {
    id: i64,
    identity_id: Stored<String>,
    user_id: Stored<i64>,
    issuer: Stored<String>,
    subject: Stored<String>,
    provider: Stored<String>,
    email: Option<Stored<String>>,
    set_up_by: Option<Stored<String>>,
    created_at: Stored<DateTime<Utc>>,
    last_used_at: Option<Stored<DateTime<Utc>>>,
}

impl TryFrom<IdentityRow> for Identity {
    type Error = StoreError;

    fn try_from(row: IdentityRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "identities", id: row.id };
        let id = IdentityId::parse(&at.read("identity_id", row.identity_id)?);
        let provider = ProviderName::parse(&at.read("provider", row.provider)?);
        Ok(Self {
            id: id.ok_or_else(|| at.corrupt("identity_id", "not an identity identifier"))?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            key: IdentityKey { issuer: at.read("issuer", row.issuer)?, subject: at.read("subject", row.subject)? },
            provider: provider.ok_or_else(|| at.corrupt("provider", "not a provider name"))?,
            email: row.email.map(|email| at.read("email", email)).transpose()?,
            set_up_by: row.set_up_by.map(|text| at.session("set_up_by", text)).transpose()?,
            created_at: at.read("created_at", row.created_at)?,
            last_used_at: row.last_used_at.map(|time| at.read("last_used_at", time)).transpose()?,
        })
    }
}

/// Row of a new identity.
#[derive(Insertable)]
#[diesel(table_name = identities, treat_none_as_default_value = false)]
struct NewIdentityRow<'a> {
    identity_id: String,
    user_id: i64,
    issuer: &'a str,
    subject: &'a str,
    provider: &'a str,
    email: Option<&'a str>,
    set_up_by: Option<String>,
    created_at: DbTimestamp,
    last_used_at: Option<DbTimestamp>,
}

impl<'a> NewIdentityRow<'a> {
    fn of(identity: &'a Identity) -> Self {
        Self {
            identity_id: identity.id.to_string(),
            user_id: identity.user_id.get(),
            issuer: &identity.key.issuer,
            subject: &identity.key.subject,
            provider: identity.provider.as_str(),
            email: identity.email.as_deref(),
            set_up_by: identity.set_up_by.map(|id| id.to_string()),
            created_at: DbTimestamp::new(identity.created_at),
            last_used_at: identity.last_used_at.map(DbTimestamp::new),
        }
    }
}

/// Selects the identities of an account.
#[auto_type]
fn owned_by(user_id: i64) -> _ {
    identities::table.filter(identities::user_id.eq(user_id))
}

impl IdentityRepository for Transaction<'_> {
    fn find(&mut self, key: &IdentityKey) -> Result<Option<Identity>, StoreError> {
        let same = identities::table
            .filter(identities::issuer.eq(&key.issuer))
            .filter(identities::subject.eq(&key.subject))
            .select(columns_of::<IdentityRow>());
        self.first::<IdentityRow>(same)?.map(Identity::try_from).transpose()
    }

    fn list(&mut self, user_id: UserId) -> Result<Vec<Identity>, StoreError> {
        let own = owned_by(user_id.get()).order(identities::id).select(columns_of::<IdentityRow>());
        self.load::<IdentityRow>(own)?.into_iter().map(Identity::try_from).collect()
    }

    fn insert(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        let insert = diesel::insert_into(identities::table).values(NewIdentityRow::of(identity));
        self.changed_one(insert.on_conflict((identities::issuer, identities::subject)).do_nothing())
    }

    fn record_use(&mut self, id: &IdentityId, email: Option<&str>, at: DateTime<Utc>) -> Result<(), StoreError> {
        let used = identities::table.filter(identities::identity_id.eq(id.to_string()));
        let set = (identities::email.eq(email), identities::last_used_at.eq(DbTimestamp::new(at)));
        self.change(diesel::update(used).set(set)).map(drop)
    }

    fn remove(&mut self, user_id: UserId, id: &IdentityId) -> Result<Option<Identity>, StoreError> {
        let own = owned_by(user_id.get()).filter(identities::identity_id.eq(id.to_string()));
        let removed = diesel::delete(own).returning(columns_of::<IdentityRow>());
        self.change_returning::<IdentityRow>(removed)?.pop().map(Identity::try_from).transpose()
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let removed = self.change(diesel::delete(owned_by(user_id.get())))?;
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }
}
