//! Stored second factors, recovery codes and trusted devices.

use crate::store::{RowCursor, StoreError};
use chrono::{DateTime, Utc};
use portcullis_domain::mfa::{
    FactorId, FactorName, RecoveryCodeDigest, SealedSecret, TimeStep, TotpFactor, TrustedDevice, TrustedDeviceId,
};
use portcullis_domain::registration::UserId;

/// Stores the second factors of accounts, their recovery codes and their trusted devices. Every method
/// returns [`StoreError`] if the store fails.
///
/// Before you add, confirm or remove factors or recovery codes, [lock the
/// account](crate::SessionRepository::lock_account). If that gives the account its first factor or takes
/// its last one, replace its credentials by [marked](portcullis_domain::login::Credentials::marked) or
/// unmarked ones in the same transaction.
pub trait FactorRepository {
    /// Lists the authenticator apps of an account, pending ones too, oldest first.
    fn totp(&mut self, user_id: UserId) -> Result<Vec<TotpFactor>, StoreError>;

    /// Adds a pending factor in place of the account's other pending one.
    fn replace_pending(&mut self, factor: &TotpFactor) -> Result<(), StoreError>;

    /// Confirms a pending factor of an account at `at`, and records `step` as its last accepted one. Does not
    /// check whether the factor has expired. Returns whether it was pending: exactly one concurrent caller
    /// succeeds.
    fn confirm_totp(
        &mut self,
        user_id: UserId,
        id: &FactorId,
        step: TimeStep,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Uses up a step of a confirmed factor if it is later than the last accepted one. Returns whether it
    /// was: exactly one concurrent caller succeeds.
    fn use_step(&mut self, id: &FactorId, step: TimeStep, at: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Renames a confirmed factor of an account. Returns whether it exists.
    fn rename_totp(&mut self, user_id: UserId, id: &FactorId, name: &FactorName) -> Result<bool, StoreError>;

    /// Removes a confirmed factor of an account. Returns whether it existed.
    fn remove_totp(&mut self, user_id: UserId, id: &FactorId) -> Result<bool, StoreError>;

    /// Replaces all recovery codes of an account, used or not. If `codes` is empty, removes them.
    fn replace_recovery_codes(&mut self, user_id: UserId, codes: &[RecoveryCodeDigest]) -> Result<(), StoreError>;

    /// Returns whether an account has this recovery code, unused.
    fn has_recovery_code(&mut self, user_id: UserId, code: &RecoveryCodeDigest) -> Result<bool, StoreError>;

    /// Uses up a recovery code of an account. Returns whether it was unused: exactly one concurrent caller
    /// succeeds.
    fn use_recovery_code(
        &mut self,
        user_id: UserId,
        code: &RecoveryCodeDigest,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Counts the unused recovery codes of an account.
    fn recovery_codes_left(&mut self, user_id: UserId) -> Result<u32, StoreError>;

    /// Adds a trusted device of an account, in place of an earlier row for the same device.
    fn trust(&mut self, device: &TrustedDevice) -> Result<(), StoreError>;

    /// Lists the trusted devices of an account that have not expired at `now`, newest first.
    fn trusted_devices(&mut self, user_id: UserId, now: DateTime<Utc>) -> Result<Vec<TrustedDevice>, StoreError>;

    /// Removes a trusted device of an account. Returns whether it existed.
    fn forget_device(&mut self, user_id: UserId, id: &TrustedDeviceId) -> Result<bool, StoreError>;

    /// Removes all trusted devices of an account. Returns their number.
    fn forget_devices(&mut self, user_id: UserId) -> Result<u32, StoreError>;

    /// Removes the authenticator apps, recovery codes and trusted devices of an account. Returns whether it had
    /// a confirmed app. Passkeys stay: see [`remove_kind`](crate::PasskeyRepository::remove_kind).
    fn remove_all(&mut self, user_id: UserId) -> Result<bool, StoreError>;

    /// Lists up to `limit` encrypted secrets of all accounts after a cursor, in the store's own order.
    fn sealed_secrets(
        &mut self,
        after: RowCursor,
        limit: u32,
    ) -> Result<Vec<(RowCursor, FactorId, SealedSecret)>, StoreError>;

    /// Replaces an encrypted secret if it is still `old`. Returns whether it did.
    fn reseal(&mut self, id: &FactorId, old: &SealedSecret, new: &SealedSecret) -> Result<bool, StoreError>;

    /// Deletes up to `limit` pending factors that were created at or before `cutoff`. Returns the number of
    /// deleted factors.
    fn purge_pending(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;

    /// Deletes up to `limit` trusted devices that expired at or before `cutoff`. Returns the number of
    /// deleted devices.
    fn purge_devices(&mut self, cutoff: DateTime<Utc>, limit: u32) -> Result<u64, StoreError>;
}
