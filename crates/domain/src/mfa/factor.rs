//! Authenticator apps of an account, as stored.

use super::{FactorId, TimeStep};
use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// Maximum number of confirmed authenticator apps of an account.
pub const MAX_TOTP_FACTORS: usize = 5;

/// Time from its creation in which a factor can be confirmed.
pub const PENDING_FACTOR_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Name that the owner gave a factor: 1 to 64 characters.
///
/// ```
/// use portcullis_domain::mfa::FactorName;
/// assert_eq!(FactorName::parse("  my phone ").as_ref().map(FactorName::as_str), Some("my phone"));
/// assert_eq!(FactorName::default().as_str(), "Authenticator");
/// assert_eq!(FactorName::parse(" "), None);
/// assert_eq!(FactorName::parse("two\nlines"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorName(String);

impl FactorName {
    /// Maximum length in characters.
    pub const MAX_CHARS: usize = 64;

    /// Parses a name without the white space around it. Returns `None` if it is empty, longer than
    /// [`MAX_CHARS`](Self::MAX_CHARS) characters or contains a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        let valid = (1..=Self::MAX_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        valid.then(|| Self(name.to_owned()))
    }

    /// Creates a name from its stored text.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for FactorName {
    fn default() -> Self {
        Self("Authenticator".to_owned())
    }
}

/// Encrypted secret of a factor. See [`sealing_context`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// Creates a secret from its ciphertext.
    #[must_use]
    pub const fn new(ciphertext: Vec<u8>) -> Self {
        Self(ciphertext)
    }

    /// Returns the ciphertext.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// Returns the context that the secret of a factor is sealed in. A ciphertext that is moved to another
/// row does not open there.
///
/// ```
/// use portcullis_domain::mfa::{FactorId, sealing_context};
/// let id = FactorId::from_random([0xab; 16]);
/// assert_eq!(sealing_context(&id), b"totp_factors/secret/abababababab4bababababababababab");
/// ```
#[must_use]
pub fn sealing_context(id: &FactorId) -> Vec<u8> {
    format!("totp_factors/secret/{id}").into_bytes()
}

/// Authenticator app. It counts as a second factor once it is confirmed.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{mfa::*, registration::UserId};
/// let now = DateTime::UNIX_EPOCH;
/// let (id, secret) = (FactorId::from_random([1; 16]), SealedSecret::new(vec![7; 57]));
/// let factor = TotpFactor::new(id, UserId::new(1), FactorName::default(), secret, now);
/// assert!(!factor.is_confirmed() && factor.is_pending(now));
/// assert!(!factor.is_pending(now + TimeDelta::minutes(10)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpFactor {
    /// Public id.
    pub id: FactorId,
    /// Account.
    pub user_id: UserId,
    /// Name given by the owner.
    pub name: FactorName,
    /// Encrypted secret.
    pub secret: SealedSecret,
    /// Last accepted time step; `None` until the factor is confirmed.
    pub last_step: Option<TimeStep>,
    /// Session that set it up; `None` if that is unknown or was a sign-in. The first verification of the email
    /// address removes what the sessions of other browsers set up.
    pub set_up_by: Option<SessionId>,
    /// Creation time, in UTC.
    pub created_at: DateTime<Utc>,
    /// Time of the confirmation by a code, in UTC; `None` for a pending factor.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Time when a code was last accepted, in UTC; `None` if never.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl TotpFactor {
    /// Creates a pending factor.
    #[must_use]
    pub const fn new(
        id: FactorId,
        user_id: UserId,
        name: FactorName,
        secret: SealedSecret,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            user_id,
            name,
            secret,
            last_step: None,
            set_up_by: None,
            created_at,
            confirmed_at: None,
            last_used_at: None,
        }
    }

    /// Returns whether the owner confirmed the factor with a code.
    #[must_use]
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some()
    }

    /// Returns whether the factor can still be confirmed at `now`.
    #[must_use]
    pub fn is_pending(&self, now: DateTime<Utc>) -> bool {
        !self.is_confirmed() && now.signed_duration_since(self.created_at) < PENDING_FACTOR_LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_characters() {
        let longest = "ä".repeat(64);
        assert_eq!(FactorName::parse(&format!(" {longest}\t")).unwrap().as_str(), longest);
        for bad in ["", "\u{3000}", &"x".repeat(65), "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(FactorName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_factor_is_pending_or_confirmed() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let (id, secret) = (FactorId::from_random([1; 16]), SealedSecret::new(vec![77]));
        assert_eq!(format!("{secret:?}"), "SealedSecret(…)");
        let factor = TotpFactor::new(id, UserId::new(1), FactorName::default(), secret, at(0));
        assert!(factor.is_pending(at(599)) && !factor.is_pending(at(600)));
        let confirmed = TotpFactor { confirmed_at: Some(at(1)), ..factor };
        assert!(confirmed.is_confirmed() && !confirmed.is_pending(at(2)));
    }
}
