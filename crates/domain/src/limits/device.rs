//! Known devices: browsers that an account recognizes by a cookie. Code that has the secret key signs
//! and verifies the cookies.

use crate::registration::EmailAddress;
use crate::tokens::IdempotencyKeyDigest;
use crate::verification::PasswordVersion;
use chrono::{DateTime, TimeDelta, Utc};
use hex::FromHex;
use sha2::{Digest, Sha256};

/// Random id that the service assigns to a device. Contains nothing about the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Creates an id from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the key that marks the device's exchanges of refresh tokens: a digest without a secret, which
    /// random ids do not need, so that replicas agree on it during a rotation of secrets.
    #[must_use]
    pub fn exchange_key(&self) -> IdempotencyKeyDigest {
        IdempotencyKeyDigest(Sha256::digest([b"exchange/".as_slice(), &self.0].concat()).into())
    }
}

/// Tag of the password that a device signed in with: the first 16 bytes of a [`PasswordVersion`]. Tags
/// can only be compared for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordTag([u8; 16]);

impl From<PasswordVersion> for PasswordTag {
    fn from(version: PasswordVersion) -> Self {
        Self(version.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// Content of a device cookie: device id, time of issue and password tag. Changing the password makes
/// the device unknown. The account is only part of the signature, so the cookie does not reveal it.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{limits::{DeviceCookie, DeviceId}, verification::PasswordVersion};
/// let (device, password) = (DeviceId::from_random([7; 16]), PasswordVersion::new([8; 32]).into());
/// let cookie = DeviceCookie { device, issued: DateTime::UNIX_EPOCH, password };
/// let text = cookie.encode(&[9; 32]);
/// assert!(!text.contains("ada"));
/// assert_eq!(DeviceCookie::decode(&text), Some((cookie, [9; 32])));
/// assert!(cookie.is_valid_at(DateTime::UNIX_EPOCH + TimeDelta::days(399)));
/// assert!(!cookie.is_valid_at(DateTime::UNIX_EPOCH + TimeDelta::days(400)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceCookie {
    /// Device id.
    pub device: DeviceId,
    /// Time of the last issue, in UTC, in whole seconds.
    pub issued: DateTime<Utc>,
    /// Tag of the password that the device signed in with.
    pub password: PasswordTag,
}

impl DeviceCookie {
    /// Cookie lifetime of 400 days, the maximum that browsers keep (RFC 6265bis §5.5).
    pub const LIFETIME: TimeDelta = TimeDelta::days(400);

    /// Returns the cookie value with a signature: `2.<device>.<issued>.<password>.<signature>`, in
    /// hexadecimal. Version 1 values (`1.…`) have no password tag and are not accepted.
    #[must_use]
    pub fn encode(&self, signature: &[u8; 32]) -> String {
        format!("2.{}.{}", self.fields("."), hex::encode(signature))
    }

    fn fields(&self, separator: &str) -> String {
        let (device, password) = (hex::encode(self.device.0), hex::encode(self.password.0));
        format!("{device}{separator}{:x}{separator}{password}", self.issued.timestamp())
    }

    /// Parses a cookie value into its content and signature. Returns `None` if it is malformed. Verify
    /// the signature before you trust the content.
    #[must_use]
    pub fn decode(value: &str) -> Option<(Self, [u8; 32])> {
        let mut parts = value.split('.');
        let (Some("2"), Some(device), Some(issued), Some(password), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let issued = DateTime::from_timestamp(i64::from_str_radix(issued, 16).ok()?, 0)?;
        let (device, password) = (FromHex::from_hex(device).ok()?, FromHex::from_hex(password).ok()?);
        let cookie = Self { device: DeviceId(device), issued, password: PasswordTag(password) };
        // Accept only the canonical spelling of a cookie.
        let signature = FromHex::from_hex(signature).ok()?;
        (cookie.encode(&signature) == value).then_some((cookie, signature))
    }

    /// Returns the bytes to sign for an account.
    #[must_use]
    pub fn signing_input(&self, account: &EmailAddress) -> Vec<u8> {
        format!("device/2/{}/{}", self.fields("/"), account.canonical()).into_bytes()
    }

    /// Returns whether the cookie is younger than [`LIFETIME`](Self::LIFETIME).
    #[must_use]
    pub fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        now - self.issued < Self::LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_cookie_is_refused() {
        let (device, password) = (DeviceId([1; 16]), PasswordTag([3; 16]));
        let good = DeviceCookie { device, issued: DateTime::UNIX_EPOCH, password }.encode(&[2; 32]);
        assert!(DeviceCookie::decode(&good).is_some());
        let (cut, longer, upper) = (&good[..good.len() - 1], format!("{good}0"), good.replace("02", "0A"));
        for bad in ["", "1", "1...", cut, &longer, &upper, &good.replacen("2.", "1.", 1), &good.replace(".0.", ".+0.")]
        {
            assert!(DeviceCookie::decode(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.+é]{0,140}") {
            if let Some((cookie, signature)) = DeviceCookie::decode(&text) {
                prop_assert_eq!(cookie.encode(&signature), text);
            }
        }
    }
}
