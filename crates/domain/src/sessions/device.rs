//! From which browser a session began, and which sessions are spared when the others end. Finding
//! out which device a request comes from is left to the feature `limits`.

use super::SessionId;
use crate::limits::{DeviceId, Source};
use crate::registration::UserId;
use crate::verification::PasswordVersion;

/// From which device a session began, told by a code of its number: a stored one shows neither the
/// device nor that two accounts share it.
///
/// ```
/// use portcullis_domain::{limits::DeviceId, registration::UserId, sessions::DeviceHash};
/// let device = DeviceId::from_random([7; 16]);
/// let input = DeviceHash::mac_input(UserId::new(1), device);
/// assert_ne!(input, DeviceHash::mac_input(UserId::new(2), device));
/// let code = [9; 32]; // of the message, under the service's key
/// assert_eq!(DeviceHash::new(code).as_bytes(), &code);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceHash([u8; 32]);

impl DeviceHash {
    /// Takes a code of [`DeviceHash::mac_input`].
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
    pub fn mac_input(user_id: UserId, device: DeviceId) -> Vec<u8> {
        [b"session-device/".as_slice(), &user_id.get().to_be_bytes(), device.as_bytes()].concat()
    }
}

/// Keyed hash of the source that a session began from, for one account and one password. It reveals
/// no address, and a new password makes every source of the account unknown.
///
/// ```
/// use portcullis_domain::{limits::Source, registration::UserId, sessions::SourceHash, verification::PasswordVersion};
/// let (ada, source) = (UserId::new(1), Source::from_ip("192.0.2.1".parse()?));
/// let input = |version| SourceHash::mac_input(ada, &PasswordVersion::new(version), source);
/// assert_ne!(input([1; 32]), input([2; 32]));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHash([u8; 32]);

impl SourceHash {
    /// Takes a code of [`SourceHash::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// The bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is authenticated of a source, for the sessions of one account and password.
    #[must_use]
    pub fn mac_input(user_id: UserId, password: &PasswordVersion, source: Source) -> Vec<u8> {
        let source = source.to_string();
        [b"session-source/".as_slice(), &user_id.get().to_be_bytes(), password.as_bytes(), source.as_bytes()].concat()
    }
}

/// Which sessions of an account go on when all others end. By default none.
///
/// ```
/// use portcullis_domain::sessions::{SessionId, KeepSessions};
/// let own = SessionId::from_random([1; 16]);
/// assert_eq!(KeepSessions::from(Some(own)), KeepSessions { session: Some(own), device: None });
/// assert_eq!(KeepSessions::from(None), KeepSessions::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepSessions {
    /// The one with that identifier.
    pub session: Option<SessionId>,
    /// Those that began from that device.
    pub device: Option<DeviceHash>,
}

impl From<Option<SessionId>> for KeepSessions {
    fn from(session: Option<SessionId>) -> Self {
        Self { session, device: None }
    }
}
