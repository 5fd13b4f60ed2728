//! From which browser a session began, and which sessions are spared when the others end. Finding
//! out which device a request comes from is left to the feature `limits`.

use super::SessionId;
use crate::limits::DeviceId;
use crate::registration::UserId;

/// From which device a session began, told by a code of its number: a stored one shows neither the
/// device nor that two accounts share it.
///
/// ```
/// use portcullis_domain::{limits::DeviceId, registration::UserId, sessions::DeviceMark};
/// let device = DeviceId::from_random([7; 16]);
/// let message = DeviceMark::message(UserId::new(1), device);
/// assert_ne!(message, DeviceMark::message(UserId::new(2), device));
/// let code = [9; 32]; // of the message, under the service's key
/// assert_eq!(DeviceMark::new(code).as_bytes(), &code);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMark([u8; 32]);

impl DeviceMark {
    /// Takes a code of [`DeviceMark::message`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// The bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is authenticated of a device, for the sessions of one account.
    #[must_use]
    pub fn message(user_id: UserId, device: DeviceId) -> Vec<u8> {
        [b"session-device/".as_slice(), &user_id.get().to_be_bytes(), device.as_bytes()].concat()
    }
}

/// Which sessions of an account go on when all others end. By default none.
///
/// ```
/// use portcullis_domain::sessions::{SessionId, Spared};
/// let own = SessionId::from_random([1; 16]);
/// assert_eq!(Spared::from(Some(own)), Spared { session: Some(own), device: None });
/// assert_eq!(Spared::from(None), Spared::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spared {
    /// The one with that identifier.
    pub session: Option<SessionId>,
    /// Those that began from that device.
    pub device: Option<DeviceMark>,
}

impl From<Option<SessionId>> for Spared {
    fn from(session: Option<SessionId>) -> Self {
        Self { session, device: None }
    }
}
