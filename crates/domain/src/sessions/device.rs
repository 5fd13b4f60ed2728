//! Device and source that a session started on, and the sessions to keep when the others end. See
//! `limits` for how a device is recognized.

use super::SessionId;
use crate::limits::{DeviceId, Source};
use crate::registration::UserId;
use crate::verification::PasswordVersion;

/// Keyed hash of the device id a session started on. Reveals neither the device nor that two accounts
/// share it.
///
/// ```
/// use portcullis_domain::{limits::DeviceId, registration::UserId, sessions::DeviceHash};
/// let device = DeviceId::from_random([7; 16]);
/// let input = DeviceHash::mac_input(UserId::new(1), device);
/// assert_ne!(input, DeviceHash::mac_input(UserId::new(2), device));
/// let mac = [9; 32]; // MAC of `input` under the service's key
/// assert_eq!(DeviceHash::new(mac).as_bytes(), &mac);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceHash([u8; 32]);

impl DeviceHash {
    /// Creates a hash from the MAC of [`DeviceHash::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the MAC input for a device of one account.
    #[must_use]
    pub fn mac_input(user_id: UserId, device: DeviceId) -> Vec<u8> {
        [b"session-device/".as_slice(), &user_id.get().to_be_bytes(), device.as_bytes()].concat()
    }
}

/// Keyed hash of the source a session started from, per account and password. Reveals no IP address. A
/// new password makes all sources of the account unknown.
///
/// ```
/// use portcullis_domain::{limits::Source, registration::UserId, sessions::SourceHash};
/// use portcullis_domain::verification::PasswordVersion;
/// let (ada, source) = (UserId::new(1), Source::from_ip("192.0.2.1".parse()?));
/// let input = |version| SourceHash::mac_input(ada, &PasswordVersion::new(version), source);
/// assert_ne!(input([1; 32]), input([2; 32]));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHash([u8; 32]);

impl SourceHash {
    /// Creates a hash from the MAC of [`SourceHash::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the MAC input for a source of one account and password.
    #[must_use]
    pub fn mac_input(user_id: UserId, password: &PasswordVersion, source: Source) -> Vec<u8> {
        let source = source.to_string();
        [b"session-source/".as_slice(), &user_id.get().to_be_bytes(), password.as_bytes(), source.as_bytes()].concat()
    }
}

/// Sessions of an account to keep when all others end. By default, none are kept.
///
/// ```
/// use portcullis_domain::sessions::{SessionId, KeepSessions};
/// let own = SessionId::from_random([1; 16]);
/// assert_eq!(KeepSessions::from(Some(own)), KeepSessions { session: Some(own), device: None });
/// assert_eq!(KeepSessions::from(None), KeepSessions::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepSessions {
    /// Session to keep.
    pub session: Option<SessionId>,
    /// Device whose sessions are kept.
    pub device: Option<DeviceHash>,
}

impl From<Option<SessionId>> for KeepSessions {
    fn from(session: Option<SessionId>) -> Self {
        Self { session, device: None }
    }
}
