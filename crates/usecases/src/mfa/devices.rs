//! A user's own trusted devices.

use super::{MfaError, MfaReason};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::DependencyError;
use crate::limits::DeviceCookies;
use crate::tokens::Authenticated;
use portcullis_domain::mfa::{TrustedDevice, TrustedDeviceId};
use portcullis_ports::{Clock, Store, StoreError, StoreExt};
use std::sync::Arc;

/// Trusted device of the caller's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDevice {
    /// The device.
    pub device: TrustedDevice,
    /// `true` if the caller uses it.
    pub current: bool,
}

/// Lists and forgets a user's own trusted devices.
pub struct TrustedDevices {
    /// Store of the devices.
    pub store: Arc<dyn Store>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl TrustedDevices {
    /// Lists the devices, newest first.
    pub fn list(&self, session: &Authenticated, caller: &Caller) -> Result<Vec<OwnDevice>, DependencyError> {
        let (user, password) = (&session.user, &session.password);
        let known = self.devices.known_device(caller, &user.email, password);
        let trusted = self.store.read(|tx| tx.factors().trusted_devices(user.id, self.clock.now()))?;
        let is_own =
            |device: &TrustedDevice| known.is_some_and(|known| self.devices.is_hash_of(device.device, user.id, known));
        let own_device = |device: TrustedDevice| OwnDevice { current: is_own(&device), device };
        Ok(trusted.into_iter().map(own_device).collect())
    }

    /// Forgets a device.
    ///
    /// # Errors
    /// Returns [`MfaReason::DeviceNotFound`] if it is not one of the caller's.
    pub fn forget(&self, session: &Authenticated, id: TrustedDeviceId) -> Result<(), MfaError> {
        let user_id = session.user.id;
        let forgotten: Result<bool, StoreError> = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            tx.factors().forget_device(user_id, &id)
        });
        if !forgotten? {
            return Err(MfaReason::DeviceNotFound.into());
        }
        tracing::info!(target: LOG, user_id = user_id.get(), "Trusted device forgotten");
        Ok(())
    }

    /// Forgets all devices.
    pub fn forget_all(&self, session: &Authenticated) -> Result<(), DependencyError> {
        let user_id = session.user.id;
        let devices: Result<u32, StoreError> = self.store.write(|tx| {
            // A login in flight either finds no trusted device or is ordered before this call.
            tx.sessions().lock_account(user_id)?;
            tx.factors().forget_devices(user_id)
        });
        let devices = devices?;
        tracing::info!(target: LOG, user_id = user_id.get(), devices, "Trusted devices forgotten");
        Ok(())
    }
}
