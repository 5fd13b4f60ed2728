//! Challenges that need no storage: their time and a MAC are part of their 32 bytes.

use crate::registration::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

/// What a response to a challenge may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyPurpose {
    /// To add a passkey.
    Register,
    /// To add a passkey that is only a second factor.
    RegisterSecondFactor,
    /// To begin a session. Belongs to no account.
    LogIn,
    /// To complete a login.
    SecondFactor,
    /// To authenticate the user of a session again.
    Reauthenticate,
}

impl PasskeyPurpose {
    /// Returns the byte that stands for the purpose in the message to authenticate.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Register => 1,
            Self::RegisterSecondFactor => 2,
            Self::LogIn => 3,
            Self::SecondFactor => 4,
            Self::Reauthenticate => 5,
        }
    }

    /// Returns whether the authenticator must verify the user (WebAuthn §5.8.6).
    #[must_use]
    pub const fn requires_user_verification(self) -> bool {
        matches!(self, Self::Register | Self::Reauthenticate)
    }
}

/// Challenge of 32 bytes: issue time in whole seconds (4 bytes, big endian), 12 random bytes, and the first
/// half of a MAC of both, the purpose and the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasskeyChallenge([u8; 32]);

impl PasskeyChallenge {
    /// Time for which a challenge is accepted.
    pub const LIFETIME: TimeDelta = TimeDelta::minutes(5);

    /// Returns the message to authenticate.
    #[must_use]
    pub fn mac_input(purpose: PasskeyPurpose, account: Option<UserId>, seconds: u32, nonce: [u8; 12]) -> Vec<u8> {
        let account = account.map_or(0, UserId::get);
        [b"passkey/".as_slice(), &[purpose.byte()], &account.to_be_bytes(), &seconds.to_be_bytes(), &nonce].concat()
    }

    /// Joins the parts of a challenge.
    #[must_use]
    pub fn new(seconds: u32, nonce: [u8; 12], mac: &[u8; 32]) -> Self {
        let parts = seconds.to_be_bytes().into_iter().chain(nonce).chain(mac.iter().copied());
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        Self(bytes)
    }

    /// Creates a challenge from the bytes that a response holds. Returns `None` unless there are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the challenge in base64url without padding, as browsers read it.
    #[must_use]
    pub fn to_base64url(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.0)
    }

    /// Returns the issue time in seconds since 1970, and the random bytes. The MAC of both must be checked.
    #[must_use]
    pub fn claims(&self) -> (u32, [u8; 12]) {
        let [a, b, c, d, nonce @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.0;
        (u32::from_be_bytes([a, b, c, d]), nonce)
    }

    /// Returns the time from which the challenge is refused.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        let issued = DateTime::from_timestamp(i64::from(self.claims().0), 0).unwrap_or(DateTime::UNIX_EPOCH);
        issued + Self::LIFETIME
    }

    /// Returns the digest that is stored once the challenge is used: SHA-256.
    #[must_use]
    pub fn digest(&self) -> ChallengeDigest {
        ChallengeDigest(Sha256::digest(self.0).into())
    }
}

/// Stored digest of a used challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChallengeDigest([u8; 32]);

impl ChallengeDigest {
    /// Creates a digest from its stored bytes.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
