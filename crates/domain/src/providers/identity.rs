//! Identities linked to accounts, and the profile that a provider reports.

use crate::public_id::public_id;
use crate::registration::{EmailAddress, UserId};
use crate::sessions::SessionId;
use chrono::{DateTime, Utc};
use std::fmt;

public_id! {
    /// Id of a linked identity, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::providers::IdentityId;
    /// let id = IdentityId::from_random([0xab; 16]);
    /// assert_eq!(IdentityId::parse(&id.to_string()), Some(id));
    /// assert_eq!(IdentityId::parse("ab"), None);
    /// ```
    IdentityId
}

/// Name of a provider in settings, paths and responses: a lower-case letter, then letters, digits and
/// underscores; at most 32 characters.
///
/// ```
/// use portcullis_domain::providers::ProviderName;
/// assert_eq!(ProviderName::parse("corp_2").as_ref().map(ProviderName::as_str), Some("corp_2"));
/// assert_eq!(ProviderName::parse("2corp"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName(String);

impl ProviderName {
    /// Maximum length in characters.
    pub const MAX_CHARS: usize = 32;

    /// Parses a name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        (begins && rest && text.len() <= Self::MAX_CHARS).then(|| Self(text.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Issuer and subject. Nothing else identifies a person (OpenID Connect Core 1.0 §5.7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey {
    /// Issuer identifier (`iss`), as the provider spells it.
    pub issuer: String,
    /// Subject identifier (`sub`): 1 to 255 characters.
    pub subject: String,
}

impl IdentityKey {
    /// Maximum length of a subject in characters (OpenID Connect Core 1.0 §2).
    pub const MAX_SUBJECT_CHARS: usize = 255;

    /// Creates a key. Returns `None` if the subject is empty, too long, or has control characters.
    #[must_use]
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Option<Self> {
        let subject = subject.into();
        let fits = (1..=Self::MAX_SUBJECT_CHARS).contains(&subject.chars().count());
        (fits && !subject.contains(char::is_control)).then(|| Self { issuer: issuer.into(), subject })
    }
}

/// Identity that is linked to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Public id.
    pub id: IdentityId,
    /// Account.
    pub user_id: UserId,
    /// Issuer and subject.
    pub key: IdentityKey,
    /// Provider that the identity was linked with.
    pub provider: ProviderName,
    /// Email address that the provider reported last, for display only. At most 254 characters.
    pub email: Option<String>,
    /// Session that set it up; `None` if that is unknown or was a sign-in. The first verification of the email
    /// address removes what the sessions of other browsers set up.
    pub set_up_by: Option<SessionId>,
    /// Time of the link, in UTC.
    pub created_at: DateTime<Utc>,
    /// Time of the last sign-in, in UTC.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Profile of the person who signs in. The adapter has verified the provider's response; `email_trusted` says
/// whether the email counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderProfile {
    /// Issuer and subject.
    pub key: IdentityKey,
    /// Email address, if the provider reports a well-formed one.
    pub email: Option<EmailAddress>,
    /// True if the provider's word for the address is taken.
    pub email_trusted: bool,
    /// Domain that the provider vouches for: `hd`, else the domain of a trusted email, in lower case.
    pub domain: Option<String>,
    /// True if the provider reports several factors (`amr` with `mfa`).
    pub multi_factor: bool,
}
