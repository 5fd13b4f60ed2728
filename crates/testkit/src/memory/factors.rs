//! Second factors in memory.

use super::Transaction;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::mfa::{
    FactorId, FactorName, RecoveryCodeDigest, SealedSecret, TimeStep, TotpFactor, TrustedDevice, TrustedDeviceId,
};
use portcullis_domain::registration::UserId;
use portcullis_ports::{FactorRepository, RowCursor, StoreError};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// Second factors of all accounts.
#[derive(Debug, Default, Clone)]
pub(super) struct Factors {
    last_row: i64,
    totp: BTreeMap<RowCursor, TotpFactor>,
    codes: BTreeMap<RecoveryCodeDigest, RecoveryCodeRow>,
    /// In insertion order.
    devices: Vec<TrustedDevice>,
}

#[derive(Debug, Clone, Copy)]
struct RecoveryCodeRow {
    user_id: UserId,
    used_at: Option<DateTime<Utc>>,
}

/// Removes up to `limit` elements. Returns their number.
pub(super) fn remove_some<K: Ord + Copy, V>(
    rows: &mut BTreeMap<K, V>,
    limit: usize,
    dead: impl Fn(&V) -> bool,
) -> usize {
    let chosen: Vec<K> = rows.iter().filter(|(_, row)| dead(row)).map(|(key, _)| *key).take(limit).collect();
    chosen.iter().for_each(|key| drop(rows.remove(key)));
    chosen.len()
}

impl Factors {
    pub(super) fn has_confirmed(&self, user_id: UserId) -> bool {
        self.totp.values().any(|factor| factor.user_id == user_id && factor.is_confirmed())
    }

    pub(super) fn is_empty(&self, user_id: UserId) -> bool {
        self.totp.values().all(|factor| factor.user_id != user_id)
            && self.codes.values().all(|code| code.user_id != user_id)
            && self.devices.iter().all(|device| device.user_id != user_id)
    }

    /// Removes up to `limit` rows of an account. Returns their number.
    pub(super) fn remove_owned(&mut self, user_id: UserId, limit: usize) -> usize {
        let factors = remove_some(&mut self.totp, limit, |factor| factor.user_id == user_id);
        let codes = remove_some(&mut self.codes, limit - factors, |code| code.user_id == user_id);
        let devices = self.remove_devices(limit - factors - codes, |device| device.user_id == user_id);
        factors + codes + devices
    }

    fn remove_devices(&mut self, limit: usize, dead: impl Fn(&TrustedDevice) -> bool) -> usize {
        self.devices.extract_if(.., |device| dead(device)).take(limit).count()
    }

    fn find(&mut self, id: &FactorId) -> Option<&mut TotpFactor> {
        self.totp.values_mut().find(|factor| factor.id == *id)
    }

    fn confirmed(&mut self, user_id: UserId, id: &FactorId) -> Option<&mut TotpFactor> {
        self.find(id).filter(|factor| factor.user_id == user_id && factor.is_confirmed())
    }
}

impl FactorRepository for Transaction {
    fn totp(&mut self, user_id: UserId) -> Result<Vec<TotpFactor>, StoreError> {
        Ok(self.state.factors.totp.values().filter(|factor| factor.user_id == user_id).cloned().collect())
    }

    fn replace_pending(&mut self, factor: &TotpFactor) -> Result<(), StoreError> {
        let factors = &mut self.state_of(factor.user_id)?.factors;
        factors.totp.retain(|_, other| other.user_id != factor.user_id || other.is_confirmed());
        if factors.find(&factor.id).is_some() {
            return Err(self.refuse("there is a factor with that id"));
        }
        factors.last_row += 1;
        let pending = TotpFactor::new(
            factor.id,
            factor.user_id,
            factor.name.clone(),
            factor.secret.clone(),
            factor.created_at.trunc_subsecs(6),
        );
        let pending = TotpFactor { set_up_by: factor.set_up_by, ..pending };
        factors.totp.insert(RowCursor(factors.last_row), pending);
        Ok(())
    }

    fn confirm_totp(
        &mut self,
        user_id: UserId,
        id: &FactorId,
        step: TimeStep,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let at = Some(at.trunc_subsecs(6));
        let factor = self.writable()?.factors.find(id).filter(|own| own.user_id == user_id && !own.is_confirmed());
        Ok(factor
            .map(|factor| (factor.confirmed_at, factor.last_step, factor.last_used_at) = (at, Some(step), at))
            .is_some())
    }

    fn use_step(&mut self, id: &FactorId, step: TimeStep, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let unused = |own: &&mut TotpFactor| own.is_confirmed() && own.last_step.is_some_and(|last| last < step);
        let factor = self.writable()?.factors.find(id).filter(unused);
        let at = Some(at.trunc_subsecs(6));
        Ok(factor.map(|factor| (factor.last_step, factor.last_used_at) = (Some(step), at)).is_some())
    }

    fn rename_totp(&mut self, user_id: UserId, id: &FactorId, name: &FactorName) -> Result<bool, StoreError> {
        let factor = self.writable()?.factors.confirmed(user_id, id);
        Ok(factor.map(|factor| factor.name = name.clone()).is_some())
    }

    fn remove_totp(&mut self, user_id: UserId, id: &FactorId) -> Result<bool, StoreError> {
        let dead = |factor: &TotpFactor| factor.id == *id && factor.user_id == user_id && factor.is_confirmed();
        Ok(remove_some(&mut self.writable()?.factors.totp, 1, dead) == 1)
    }

    fn replace_recovery_codes(&mut self, user_id: UserId, codes: &[RecoveryCodeDigest]) -> Result<(), StoreError> {
        let factors = &mut self.writable()?.factors;
        factors.codes.retain(|_, code| code.user_id != user_id);
        for code in codes {
            let factors = &mut self.state_of(user_id)?.factors;
            let row = RecoveryCodeRow { user_id, used_at: None };
            if factors.codes.insert(*code, row).is_some() {
                return Err(self.refuse("there is a recovery code with that digest"));
            }
        }
        Ok(())
    }

    fn has_recovery_code(&mut self, user_id: UserId, code: &RecoveryCodeDigest) -> Result<bool, StoreError> {
        let code = self.state.factors.codes.get(code);
        Ok(code.is_some_and(|code| code.user_id == user_id && code.used_at.is_none()))
    }

    fn use_recovery_code(
        &mut self,
        user_id: UserId,
        code: &RecoveryCodeDigest,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let unused = |code: &&mut RecoveryCodeRow| code.user_id == user_id && code.used_at.is_none();
        let code = self.writable()?.factors.codes.get_mut(code).filter(unused);
        Ok(code.map(|code| code.used_at = Some(at)).is_some())
    }

    fn recovery_codes_left(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let codes = self.state.factors.codes.values();
        let left = codes.filter(|code| code.user_id == user_id && code.used_at.is_none()).count();
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn trust(&mut self, device: &TrustedDevice) -> Result<(), StoreError> {
        let factors = &mut self.state_of(device.user_id)?.factors;
        let same = |other: &TrustedDevice| other.user_id == device.user_id && other.device == device.device;
        if factors.devices.iter().any(|other| other.id == device.id && !same(other)) {
            return Err(self.refuse("there is a trusted device with that id"));
        }
        let [created_at, expires_at] = [device.created_at, device.expires_at].map(|time| time.trunc_subsecs(6));
        let new = TrustedDevice { created_at, expires_at, ..device.clone() };
        match factors.devices.iter_mut().find(|other| same(other)) {
            Some(old) => *old = new,
            None => factors.devices.push(new),
        }
        Ok(())
    }

    fn trusted_devices(&mut self, user_id: UserId, now: DateTime<Utc>) -> Result<Vec<TrustedDevice>, StoreError> {
        let trusted = |device: &&TrustedDevice| device.user_id == user_id && device.expires_at > now;
        let mut devices: Vec<_> = self.state.factors.devices.iter().rev().filter(trusted).cloned().collect();
        devices.sort_by_key(|device| Reverse(device.created_at));
        Ok(devices)
    }

    fn forget_device(&mut self, user_id: UserId, id: &TrustedDeviceId) -> Result<bool, StoreError> {
        let dead = |device: &TrustedDevice| device.user_id == user_id && device.id == *id;
        Ok(self.writable()?.factors.remove_devices(1, dead) == 1)
    }

    fn forget_devices(&mut self, user_id: UserId) -> Result<u32, StoreError> {
        let removed = self.writable()?.factors.remove_devices(usize::MAX, |device| device.user_id == user_id);
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    fn remove_all(&mut self, user_id: UserId) -> Result<bool, StoreError> {
        let factors = &mut self.writable()?.factors;
        let had = factors.has_confirmed(user_id);
        factors.remove_owned(user_id, usize::MAX);
        Ok(had)
    }

    fn sealed_secrets(
        &mut self,
        after: RowCursor,
        limit: u32,
    ) -> Result<Vec<(RowCursor, FactorId, SealedSecret)>, StoreError> {
        let rows = self.state.factors.totp.range((Excluded(after), Unbounded));
        let rows = rows.take(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows.map(|(row, factor)| (*row, factor.id, factor.secret.clone())).collect())
    }

    fn reseal(&mut self, id: &FactorId, old: &SealedSecret, new: &SealedSecret) -> Result<bool, StoreError> {
        let factor = self.writable()?.factors.find(id).filter(|factor| factor.secret == *old);
        Ok(factor.map(|factor| factor.secret = new.clone()).is_some())
    }

    fn purge_pending(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let dead = |factor: &TotpFactor| !factor.is_confirmed() && factor.created_at <= cutoff;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = remove_some(&mut self.writable()?.factors.totp, limit, dead);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }

    fn purge_devices(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = self.writable()?.factors.remove_devices(limit, |device| device.expires_at <= cutoff);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }
}
