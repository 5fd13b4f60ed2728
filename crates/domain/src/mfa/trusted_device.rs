//! Devices on which a login needs no second factor for a while.

use super::TrustedDeviceId;
use crate::registration::UserId;
use crate::sessions::{ClientInfo, DeviceHash};
use chrono::{DateTime, Utc};

/// Maximum number of trusted devices of an account. A further one replaces the oldest.
pub const MAX_TRUSTED_DEVICES: usize = 100;

/// Trusted device of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDevice {
    /// Public id.
    pub id: TrustedDeviceId,
    /// Account.
    pub user_id: UserId,
    /// Hash of the device id. The device's cookie alone proves nothing: this row must exist.
    pub device: DeviceHash,
    /// Client of the login that trusted the device, displayed to the owner.
    pub client: ClientInfo,
    /// Time of that login, in UTC.
    pub created_at: DateTime<Utc>,
    /// Expiry, in UTC.
    pub expires_at: DateTime<Utc>,
}
