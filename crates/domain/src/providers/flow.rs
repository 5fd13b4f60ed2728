//! Sign-ins under way: the flow between start and callback, and the one-time code after it.

use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, TimeDelta, Utc};

/// Lifetime of a flow, from the start to the callback.
pub const FLOW_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Lifetime of a one-time code. RFC 6749 §4.1.2 recommends at most 10 minutes.
pub const SIGN_IN_CODE_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Lifetime of the URL that begins a flow to link an identity.
pub const LINK_START_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Maximum age of an ID token that a native app brings.
pub const NATIVE_ID_TOKEN_MAX_AGE: TimeDelta = TimeDelta::minutes(10);

/// Defines the stored SHA-256 digest of a secret with 256 random bits.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Creates a digest from its bytes.
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
    };
}

digest! {
    /// Stored digest of a flow's `state`.
    StateDigest
}

digest! {
    /// Stored digest of a one-time code of `POST /auth/code`, or of a provider's ID token that was used.
    SignInCodeDigest
}

/// A sign-in between start and callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInFlow {
    /// Digest of `state`.
    pub state: StateDigest,
    /// Digest of the browser's flow cookie.
    pub browser: [u8; 32],
    /// Encrypted details: redirect URI, nonce and verifiers.
    pub sealed: Vec<u8>,
    /// Expiry, in UTC.
    pub expires_at: DateTime<Utc>,
    /// Time of the callback, in UTC. `None` until then.
    pub spent_at: Option<DateTime<Utc>>,
}

/// A one-time code, which begins a session at `POST /auth/code` (RFC 6749 §4.1.2, RFC 7636).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInCode {
    /// Digest of the code.
    pub digest: SignInCodeDigest,
    /// Account.
    pub user_id: UserId,
    /// Session that the code begins. A second use ends it.
    pub session_id: SessionId,
    /// `code_challenge` of the client, method S256.
    pub challenge: [u8; 32],
    /// `redirect_uri` of the client.
    pub redirect_uri: String,
    /// True if the provider reported several factors, and its word for that is taken.
    pub multi_factor: bool,
    /// Expiry, in UTC.
    pub expires_at: DateTime<Utc>,
    /// Time of use, in UTC. `None` until then.
    pub used_at: Option<DateTime<Utc>>,
}
