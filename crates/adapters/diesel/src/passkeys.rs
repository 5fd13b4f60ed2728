//! Passkeys, as rows of `passkeys`, with the user handles in `users.passkey_handle`, and used challenges, as
//! rows of `used_challenges`. Unique indexes and statements that count the affected rows let exactly one
//! concurrent caller succeed on both databases.

use crate::engine::{Engine, columns_of};
use crate::schema::{passkeys, used_challenges, users};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::auto_type;
use diesel::prelude::*;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::{
    Aaguid, Algorithm, AuthenticatorFlags, ChallengeDigest, CredentialId, Passkey, PasskeyId, UserHandle,
};
use portcullis_domain::registration::UserId;
use portcullis_ports::{PasskeyRepository, StoreError, TxMode};

/// Row of a passkey.
#[derive(Queryable, Selectable)]
#[diesel(table_name = passkeys)]
struct PasskeyRow {
    id: i64,
    passkey_id: Stored<String>,
    user_id: Stored<i64>,
    credential_id: Stored<Vec<u8>>,
    public_key: Stored<Vec<u8>>,
    algorithm: Stored<i64>,
    rp_id: Stored<String>,
    counter: Stored<i64>,
    flags: Stored<i64>,
    discoverable: Stored<bool>,
    aaguid: Stored<Vec<u8>>,
    transports: Stored<String>,
    name: Stored<String>,
    second_factor: Stored<bool>,
    set_up_by: Option<Stored<String>>,
    created_at: Stored<DateTime<Utc>>,
    last_used_at: Option<Stored<DateTime<Utc>>>,
}

impl TryFrom<PasskeyRow> for Passkey {
    type Error = StoreError;

    fn try_from(row: PasskeyRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "passkeys", id: row.id };
        let id = PasskeyId::parse(&at.read("passkey_id", row.passkey_id)?);
        let credential_id = CredentialId::new(at.read("credential_id", row.credential_id)?);
        let algorithm = Algorithm::from_cose(at.read("algorithm", row.algorithm)?);
        let counter = u32::try_from(at.read("counter", row.counter)?);
        let flags = u8::try_from(at.read("flags", row.flags)?);
        let aaguid = at.read("aaguid", row.aaguid)?.try_into();
        let transports = at.read("transports", row.transports)?;
        Ok(Self {
            id: id.ok_or_else(|| at.corrupt("passkey_id", "not a passkey identifier"))?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            credential_id: credential_id.ok_or_else(|| at.corrupt("credential_id", "not 1 to 1023 bytes"))?,
            public_key: at.read("public_key", row.public_key)?,
            algorithm: algorithm.ok_or_else(|| at.corrupt("algorithm", "not a supported algorithm"))?,
            rp_id: at.read("rp_id", row.rp_id)?,
            counter: counter.map_err(|_| at.corrupt("counter", "out of range"))?,
            flags: flags.map(AuthenticatorFlags).map_err(|_| at.corrupt("flags", "out of range"))?,
            discoverable: at.read("discoverable", row.discoverable)?,
            aaguid: aaguid.map(Aaguid).map_err(|_| at.corrupt("aaguid", "not 16 bytes"))?,
            transports: transports.split_ascii_whitespace().map(str::to_owned).collect(),
            name: FactorName::from_stored(at.read("name", row.name)?),
            second_factor: at.read("second_factor", row.second_factor)?,
            set_up_by: row.set_up_by.map(|text| at.session("set_up_by", text)).transpose()?,
            created_at: at.read("created_at", row.created_at)?,
            last_used_at: row.last_used_at.map(|time| at.read("last_used_at", time)).transpose()?,
        })
    }
}

/// Row of a new passkey.
#[derive(Insertable)]
#[diesel(table_name = passkeys, treat_none_as_default_value = false)]
struct NewPasskeyRow<'a> {
    passkey_id: String,
    user_id: i64,
    credential_id: &'a [u8],
    public_key: &'a [u8],
    algorithm: i64,
    rp_id: &'a str,
    counter: i64,
    flags: i64,
    discoverable: bool,
    aaguid: &'a [u8],
    transports: String,
    name: &'a str,
    second_factor: bool,
    set_up_by: Option<String>,
    created_at: DbTimestamp,
    last_used_at: Option<DbTimestamp>,
}

impl<'a> NewPasskeyRow<'a> {
    fn of(passkey: &'a Passkey) -> Self {
        Self {
            passkey_id: passkey.id.to_string(),
            user_id: passkey.user_id.get(),
            credential_id: passkey.credential_id.as_bytes(),
            public_key: &passkey.public_key,
            algorithm: passkey.algorithm.cose().into(),
            rp_id: &passkey.rp_id,
            counter: passkey.counter.into(),
            flags: passkey.flags.0.into(),
            discoverable: passkey.discoverable,
            aaguid: &passkey.aaguid.0,
            transports: passkey.transports.join(" "),
            name: passkey.name.as_str(),
            second_factor: passkey.second_factor,
            set_up_by: passkey.set_up_by.map(|id| id.to_string()),
            created_at: DbTimestamp::new(passkey.created_at),
            last_used_at: passkey.last_used_at.map(DbTimestamp::new),
        }
    }
}

/// Counts the passkeys that were made for another RP ID. Scans the table.
pub(crate) fn count_of_other_rp_ids<C: Engine>(connection: &mut C, rp_id: &str) -> Result<u64, StoreError> {
    let others = passkeys::table.filter(passkeys::rp_id.ne(rp_id)).count();
    let count = connection.link().one::<i64>(others).map_err(|error| C::classify(&error, TxMode::Read))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Selects the passkeys of an account.
#[auto_type]
fn owned_by(user_id: i64) -> _ {
    passkeys::table.filter(passkeys::user_id.eq(user_id))
}

/// Selects a passkey of an account.
#[auto_type]
fn own_passkey(user_id: i64, passkey_id: String) -> _ {
    let own: owned_by = owned_by(user_id);
    own.filter(passkeys::passkey_id.eq(passkey_id))
}

impl PasskeyRepository for Transaction<'_> {
    fn handle(&mut self, user_id: UserId) -> Result<Option<UserHandle>, StoreError> {
        let own = users::table.find(user_id.get()).filter(users::passkey_handle.is_not_null());
        let handle = self.first::<Option<Stored<Vec<u8>>>>(own.select(users::passkey_handle))?.flatten();
        let at = RowRef { table: "users", id: user_id.get() };
        let handle = handle.map(|handle| at.code("passkey_handle", handle)).transpose()?;
        Ok(handle.map(UserHandle::from_random))
    }

    fn set_handle(&mut self, user_id: UserId, handle: &UserHandle) -> Result<bool, StoreError> {
        let without = users::table
            .find(user_id.get())
            .filter(users::passkey_handle.is_null())
            .filter(users::deleted_at.is_null());
        self.changed_one(diesel::update(without).set(users::passkey_handle.eq(handle.as_bytes().as_slice())))
    }

    fn list(&mut self, user_id: UserId) -> Result<Vec<Passkey>, StoreError> {
        let own = owned_by(user_id.get()).order(passkeys::id).select(columns_of::<PasskeyRow>());
        self.load::<PasskeyRow>(own)?.into_iter().map(Passkey::try_from).collect()
    }

    fn find(&mut self, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        let same = passkeys::table.filter(passkeys::credential_id.eq(id.as_bytes()));
        self.first::<PasskeyRow>(same.select(columns_of::<PasskeyRow>()))?.map(Passkey::try_from).transpose()
    }

    fn insert(&mut self, passkey: &Passkey) -> Result<bool, StoreError> {
        let insert = diesel::insert_into(passkeys::table).values(NewPasskeyRow::of(passkey));
        self.changed_one(insert.on_conflict(passkeys::credential_id).do_nothing())
    }

    fn record_use(
        &mut self,
        id: &PasskeyId,
        counter: u32,
        flags: AuthenticatorFlags,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        // Less than 1 is 0, which both counters are if the authenticator does not count.
        let grows = passkeys::counter.lt(i64::from(counter.max(1)));
        let passkey = passkeys::table.filter(passkeys::passkey_id.eq(id.to_string())).filter(grows);
        self.changed_one(diesel::update(passkey).set((
            passkeys::counter.eq(i64::from(counter)),
            passkeys::flags.eq(i64::from(flags.0)),
            passkeys::last_used_at.eq(DbTimestamp::new(at)),
        )))
    }

    fn rename(&mut self, user_id: UserId, id: &PasskeyId, name: &FactorName) -> Result<bool, StoreError> {
        let own = own_passkey(user_id.get(), id.to_string());
        self.changed_one(diesel::update(own).set(passkeys::name.eq(name.as_str())))
    }

    fn remove(&mut self, user_id: UserId, id: &PasskeyId) -> Result<Option<Passkey>, StoreError> {
        let own = own_passkey(user_id.get(), id.to_string());
        let removed = diesel::delete(own).returning(columns_of::<PasskeyRow>());
        self.change_returning::<PasskeyRow>(removed)?.pop().map(Passkey::try_from).transpose()
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let removed = self.change(diesel::delete(owned_by(user_id.get())))?;
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    fn remove_kind(&mut self, user_id: UserId, second_factor: bool) -> Result<u32, StoreError> {
        let own = owned_by(user_id.get()).filter(passkeys::second_factor.eq(second_factor));
        Ok(u32::try_from(self.change(diesel::delete(own))?).unwrap_or(u32::MAX))
    }

    fn use_challenge(&mut self, digest: &ChallengeDigest, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let insert = diesel::insert_into(used_challenges::table).values((
            used_challenges::digest.eq(digest.as_bytes().as_slice()),
            used_challenges::expires_at.eq(DbTimestamp::new(expires_at)),
        ));
        self.changed_one(insert.on_conflict(used_challenges::digest).do_nothing())
    }

    fn purge_challenges(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge_oldest("used_challenges", "expires_at", cutoff, limit)
    }
}
