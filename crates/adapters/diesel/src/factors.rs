//! Second factors, as rows of `totp_factors`, `recovery_codes` and `trusted_devices`. Steps and codes are
//! used up by statements that count the affected rows, so exactly one concurrent caller succeeds on both
//! databases.

use crate::engine::columns_of;
use crate::schema::{passkeys, recovery_codes, totp_factors, trusted_devices, users};
use crate::sessions::{OriginRow, columns};
use crate::statement::{Statement, Value};
use crate::stored::{RowRef, Stored};
use crate::time::DbTimestamp;
use crate::transaction::Transaction;
use chrono::{DateTime, Utc};
use diesel::dsl::{auto_type, exists};
use diesel::prelude::*;
use diesel::upsert::excluded;
use portcullis_domain::mfa::{
    FactorId, FactorName, RecoveryCodeDigest, SealedSecret, TimeStep, TotpFactor, TrustedDevice, TrustedDeviceId,
};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::DeviceHash;
use portcullis_ports::{FactorRepository, RowCursor, StoreError};

/// Returns whether the account of the outer query has a second factor.
#[auto_type]
pub(crate) fn has_second_factor() -> _ {
    let app = exists(
        totp_factors::table
            .filter(totp_factors::user_id.eq(users::id))
            .filter(totp_factors::confirmed_at.is_not_null()),
    );
    let passkey =
        exists(passkeys::table.filter(passkeys::user_id.eq(users::id)).filter(passkeys::second_factor.eq(true)));
    app.or(passkey)
}

/// Row of an authenticator app.
#[derive(Queryable, Selectable)]
#[diesel(table_name = totp_factors)]
struct FactorRow {
    id: i64,
    factor_id: Stored<String>,
    user_id: Stored<i64>,
    name: Stored<String>,
    secret: Stored<Vec<u8>>,
    last_step: Option<Stored<i64>>,
    set_up_by: Option<Stored<String>>,
    created_at: Stored<DateTime<Utc>>,
    confirmed_at: Option<Stored<DateTime<Utc>>>,
    last_used_at: Option<Stored<DateTime<Utc>>>,
}

fn read_id(at: RowRef, id: Stored<String>) -> Result<FactorId, StoreError> {
    FactorId::parse(&at.read("factor_id", id)?).ok_or_else(|| at.corrupt("factor_id", "not a factor identifier"))
}

impl TryFrom<FactorRow> for TotpFactor {
    type Error = StoreError;

    fn try_from(row: FactorRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "totp_factors", id: row.id };
        let last_step = row.last_step.map(|step| at.read("last_step", step)).transpose()?;
        Ok(Self {
            id: read_id(at, row.factor_id)?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            name: FactorName::from_stored(at.read("name", row.name)?),
            secret: SealedSecret::new(at.read("secret", row.secret)?),
            last_step: last_step.map(TimeStep::new),
            set_up_by: row.set_up_by.map(|text| at.session("set_up_by", text)).transpose()?,
            created_at: at.read("created_at", row.created_at)?,
            confirmed_at: row.confirmed_at.map(|time| at.read("confirmed_at", time)).transpose()?,
            last_used_at: row.last_used_at.map(|time| at.read("last_used_at", time)).transpose()?,
        })
    }
}

/// Row of a trusted device.
#[derive(Queryable, Selectable)]
#[diesel(table_name = trusted_devices)]
struct DeviceRow {
    id: i64,
    device_id: Stored<String>,
    user_id: Stored<i64>,
    device: Stored<Vec<u8>>,
    ip_address: Option<Stored<String>>,
    user_agent: Option<Stored<String>>,
    created_at: Stored<DateTime<Utc>>,
    expires_at: Stored<DateTime<Utc>>,
}

impl TryFrom<DeviceRow> for TrustedDevice {
    type Error = StoreError;

    fn try_from(row: DeviceRow) -> Result<Self, StoreError> {
        let at = RowRef { table: "trusted_devices", id: row.id };
        let id = TrustedDeviceId::parse(&at.read("device_id", row.device_id)?);
        Ok(Self {
            id: id.ok_or_else(|| at.corrupt("device_id", "not a device identifier"))?,
            user_id: UserId::new(at.read("user_id", row.user_id)?),
            device: DeviceHash::new(at.code("device", row.device)?),
            client: OriginRow { ip_address: row.ip_address, user_agent: row.user_agent }.read(at)?,
            created_at: at.read("created_at", row.created_at)?,
            expires_at: at.read("expires_at", row.expires_at)?,
        })
    }
}

/// Selects a factor of an account.
#[auto_type]
fn own_factor(user_id: i64, factor_id: String) -> _ {
    totp_factors::table.filter(totp_factors::factor_id.eq(factor_id)).filter(totp_factors::user_id.eq(user_id))
}

/// Selects a confirmed factor of an account.
#[auto_type]
fn confirmed_factor(user_id: i64, factor_id: String) -> _ {
    let own: own_factor = own_factor(user_id, factor_id);
    own.filter(totp_factors::confirmed_at.is_not_null())
}

/// Selects an unused recovery code of an account.
#[auto_type]
fn unused_code<'a>(user_id: i64, digest: &'a [u8]) -> _ {
    recovery_codes::table
        .filter(recovery_codes::digest.eq(digest))
        .filter(recovery_codes::user_id.eq(user_id))
        .filter(recovery_codes::used_at.is_null())
}

impl FactorRepository for Transaction<'_> {
    fn totp(&mut self, user_id: UserId) -> Result<Vec<TotpFactor>, StoreError> {
        let own = totp_factors::table.filter(totp_factors::user_id.eq(user_id.get()));
        let rows = self.load::<FactorRow>(own.order(totp_factors::id).select(columns_of::<FactorRow>()))?;
        rows.into_iter().map(TotpFactor::try_from).collect()
    }

    /// The unique index on pending factors decides races. diesel has no conflict target with a condition on
    /// SQLite.
    fn replace_pending(&mut self, factor: &TotpFactor) -> Result<(), StoreError> {
        let upsert = "INSERT INTO totp_factors (factor_id, user_id, name, secret, set_up_by, created_at) \
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user_id) WHERE confirmed_at IS NULL DO UPDATE SET \
            factor_id = excluded.factor_id, name = excluded.name, secret = excluded.secret, \
            set_up_by = excluded.set_up_by, created_at = excluded.created_at";
        let values = [
            Value::Text(Some(factor.id.to_string())),
            factor.user_id.get().into(),
            Value::Text(Some(factor.name.as_str().to_owned())),
            Value::Bytes(factor.secret.as_bytes().to_vec()),
            Value::Text(factor.set_up_by.map(|id| id.to_string())),
            DbTimestamp::new(factor.created_at).into(),
        ];
        self.change(Statement::<()>::new(upsert, values)).map(drop)
    }

    fn confirm_totp(
        &mut self,
        user_id: UserId,
        id: &FactorId,
        step: TimeStep,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let at = DbTimestamp::new(at);
        let pending = own_factor(user_id.get(), id.to_string()).filter(totp_factors::confirmed_at.is_null());
        self.changed_one(diesel::update(pending).set((
            totp_factors::confirmed_at.eq(at),
            totp_factors::last_step.eq(step.get()),
            totp_factors::last_used_at.eq(at),
        )))
    }

    fn use_step(&mut self, id: &FactorId, step: TimeStep, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let unused = totp_factors::table
            .filter(totp_factors::factor_id.eq(id.to_string()))
            .filter(totp_factors::confirmed_at.is_not_null())
            .filter(totp_factors::last_step.lt(step.get()));
        let last_used_at = totp_factors::last_used_at.eq(DbTimestamp::new(at));
        self.changed_one(diesel::update(unused).set((totp_factors::last_step.eq(step.get()), last_used_at)))
    }

    fn rename_totp(&mut self, user_id: UserId, id: &FactorId, name: &FactorName) -> Result<bool, StoreError> {
        let confirmed = confirmed_factor(user_id.get(), id.to_string());
        self.changed_one(diesel::update(confirmed).set(totp_factors::name.eq(name.as_str())))
    }

    fn remove_totp(&mut self, user_id: UserId, id: &FactorId) -> Result<bool, StoreError> {
        let confirmed = confirmed_factor(user_id.get(), id.to_string());
        self.changed_one(diesel::delete(confirmed))
    }

    fn replace_recovery_codes(&mut self, user_id: UserId, codes: &[RecoveryCodeDigest]) -> Result<(), StoreError> {
        self.change(diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user_id.get()))))?;
        codes.iter().try_for_each(|code| {
            let digest = recovery_codes::digest.eq(code.as_bytes().as_slice());
            let values = (recovery_codes::user_id.eq(user_id.get()), digest);
            self.change(diesel::insert_into(recovery_codes::table).values(values)).map(drop)
        })
    }

    fn has_recovery_code(&mut self, user_id: UserId, code: &RecoveryCodeDigest) -> Result<bool, StoreError> {
        let unused = unused_code(user_id.get(), code.as_bytes());
        Ok(self.first::<i64>(unused.select(recovery_codes::id))?.is_some())
    }

    fn use_recovery_code(
        &mut self,
        user_id: UserId,
        code: &RecoveryCodeDigest,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let unused = unused_code(user_id.get(), code.as_bytes());
        self.changed_one(diesel::update(unused).set(recovery_codes::used_at.eq(DbTimestamp::new(at))))
    }

    fn recovery_codes_left(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let own = recovery_codes::table.filter(recovery_codes::user_id.eq(user_id.get()));
        let unused = self.one::<i64>(own.filter(recovery_codes::used_at.is_null()).count())?;
        Ok(u32::try_from(unused).unwrap_or(u32::MAX))
    }

    fn trust(&mut self, device: &TrustedDevice) -> Result<(), StoreError> {
        let (ip_address, user_agent) = columns(&device.client);
        let insert = diesel::insert_into(trusted_devices::table).values((
            trusted_devices::device_id.eq(device.id.to_string()),
            trusted_devices::user_id.eq(device.user_id.get()),
            trusted_devices::device.eq(device.device.as_bytes().as_slice()),
            trusted_devices::ip_address.eq(ip_address),
            trusted_devices::user_agent.eq(user_agent),
            trusted_devices::created_at.eq(DbTimestamp::new(device.created_at)),
            trusted_devices::expires_at.eq(DbTimestamp::new(device.expires_at)),
        ));
        let upsert = insert.on_conflict((trusted_devices::user_id, trusted_devices::device)).do_update().set((
            trusted_devices::device_id.eq(excluded(trusted_devices::device_id)),
            trusted_devices::ip_address.eq(excluded(trusted_devices::ip_address)),
            trusted_devices::user_agent.eq(excluded(trusted_devices::user_agent)),
            trusted_devices::created_at.eq(excluded(trusted_devices::created_at)),
            trusted_devices::expires_at.eq(excluded(trusted_devices::expires_at)),
        ));
        self.change(upsert).map(drop)
    }

    fn trusted_devices(&mut self, user_id: UserId, now: DateTime<Utc>) -> Result<Vec<TrustedDevice>, StoreError> {
        let trusted = trusted_devices::table
            .filter(trusted_devices::user_id.eq(user_id.get()))
            .filter(trusted_devices::expires_at.gt(DbTimestamp::new(now)))
            .order((trusted_devices::created_at.desc(), trusted_devices::id.desc()));
        let rows = self.load::<DeviceRow>(trusted.select(columns_of::<DeviceRow>()))?;
        rows.into_iter().map(TrustedDevice::try_from).collect()
    }

    fn forget_device(&mut self, user_id: UserId, id: &TrustedDeviceId) -> Result<bool, StoreError> {
        let own = trusted_devices::table
            .filter(trusted_devices::device_id.eq(id.to_string()))
            .filter(trusted_devices::user_id.eq(user_id.get()));
        self.changed_one(diesel::delete(own))
    }

    fn forget_devices(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let own = trusted_devices::table.filter(trusted_devices::user_id.eq(user_id.get()));
        Ok(u32::try_from(self.change(diesel::delete(own))?).unwrap_or(u32::MAX))
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<bool, StoreError> {
        let own = totp_factors::table.filter(totp_factors::user_id.eq(user_id.get()));
        let confirmed = self.change(diesel::delete(own.filter(totp_factors::confirmed_at.is_not_null())))?;
        self.change(diesel::delete(own))?;
        self.replace_recovery_codes(user_id, &[])?;
        self.forget_devices(user_id)?;
        Ok(confirmed > 0)
    }

    fn sealed_secrets(
        &mut self,
        after: RowCursor,
        limit: u32,
    ) -> Result<Vec<(RowCursor, FactorId, SealedSecret)>, StoreError> {
        let beyond = totp_factors::table.filter(totp_factors::id.gt(after.0)).order(totp_factors::id);
        let columns = (totp_factors::id, totp_factors::factor_id, totp_factors::secret);
        let query = beyond.limit(i64::from(limit)).select(columns);
        let rows = self.load::<(i64, Stored<String>, Stored<Vec<u8>>)>(query)?.into_iter();
        rows.map(|(id, factor_id, secret)| {
            let at = RowRef { table: "totp_factors", id };
            Ok((RowCursor(id), read_id(at, factor_id)?, SealedSecret::new(at.read("secret", secret)?)))
        })
        .collect()
    }

    fn reseal(&mut self, id: &FactorId, old: &SealedSecret, new: &SealedSecret) -> Result<bool, StoreError> {
        let unchanged = totp_factors::table
            .filter(totp_factors::factor_id.eq(id.to_string()))
            .filter(totp_factors::secret.eq(old.as_bytes()));
        self.changed_one(diesel::update(unchanged).set(totp_factors::secret.eq(new.as_bytes())))
    }

    /// The outer `WHERE` checks again whether the factor is pending: a concurrent transaction may have
    /// confirmed or replaced it.
    fn purge_pending(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let expired = format!("confirmed_at IS NULL AND {}", self.link.expired("created_at"));
        let delete = format!(
            "DELETE FROM totp_factors WHERE {expired} AND id IN \
             (SELECT id FROM totp_factors WHERE {expired} ORDER BY created_at LIMIT ?)"
        );
        let cutoff = || Value::Time(DbTimestamp::new(cutoff));
        self.purge_rows(Statement::new(delete, [cutoff(), cutoff(), limit.into()]))
    }

    fn purge_devices(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge_oldest("trusted_devices", "expires_at", cutoff, limit)
    }
}
