//! Sign-ins under way: the flow between start and callback, and the one-time code after it.

use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, TimeDelta, Utc};
use hex::FromHex;
use sha2::{Digest, Sha256};
use std::fmt;

/// Lifetime of a flow, from the start to the callback.
pub const FLOW_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Lifetime of a one-time code. RFC 6749 §4.1.2 recommends at most 10 minutes.
pub const SIGN_IN_CODE_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Lifetime of the URL that begins a flow to link an identity.
pub const LINK_START_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Maximum age of an ID token that a native app brings.
pub const NATIVE_ID_TOKEN_MAX_AGE: TimeDelta = TimeDelta::minutes(10);

/// Secret of a sign-in with 256 random bits, written as 64 lower-case hex digits: `state`, nonce, one-time code, or
/// the cookie that identifies a browser. Redacted in `Debug`.
///
/// ```
/// use portcullis_domain::providers::SignInSecret;
/// let secret = SignInSecret::from_random([0xab; 32]);
/// assert_eq!(SignInSecret::parse(&secret.expose()), Some(secret));
/// assert_eq!(SignInSecret::parse(&"AB".repeat(32)), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignInSecret([u8; 32]);

impl SignInSecret {
    /// Creates a secret from 32 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { FromHex::from_hex(text).ok().map(Self) }
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> String {
        hex::encode(self.0)
    }

    /// Returns the SHA-256 digest to store. 256 random bits need no slow hash.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for SignInSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInSecret(…)")
    }
}

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

impl SignInCodeDigest {
    /// Returns the digest of what an ID token's signature signs. The signature does not count: an ECDSA signature has
    /// a second valid form, which would make a used token look like another one.
    #[must_use]
    pub fn of_id_token(id_token: &str) -> Self {
        let signed = id_token.rsplit_once('.').map_or(id_token, |(signed, _)| signed);
        Self(Sha256::digest(signed).into())
    }
}

impl From<&SignInSecret> for StateDigest {
    fn from(state: &SignInSecret) -> Self {
        Self(state.digest())
    }
}

impl From<&SignInSecret> for SignInCodeDigest {
    fn from(code: &SignInSecret) -> Self {
        Self(code.digest())
    }
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
    /// Session of the account pages that the new one continues. `None` after a sign-in with a provider.
    pub page_session: Option<SessionId>,
    /// Expiry, in UTC.
    pub expires_at: DateTime<Utc>,
    /// Time of use, in UTC. `None` until then.
    pub used_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_does_not_distinguish_id_tokens() {
        let digest = SignInCodeDigest::of_id_token;
        assert_eq!(digest("header.payload.r_and_s"), digest("header.payload.r_and_n_minus_s"));
        assert_ne!(digest("header.payload.s"), digest("header.other.s"));
    }
}
