//! User accounts, their ids and password hashes.

use super::EmailAddress;
use crate::login::Credentials;
use chrono::{DateTime, Utc};
use std::fmt;

/// Id of an account, assigned by the store.
///
/// ```
/// use portcullis_domain::registration::UserId;
/// assert_eq!(UserId::parse("42"), Some(UserId::new(42)));
/// assert_eq!(UserId::parse("042"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct UserId(i64);

impl UserId {
    /// Creates an id from its stored value.
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// Returns the value.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Parses the text form used in a token's `sub`: decimal digits of a positive number, without sign
    /// or leading zeros. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        if canonical { text.parse().ok().map(Self) } else { None }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Salted slow hash of a password, in the text form of its scheme. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Creates a hash from its text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for verification or storage.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Email address, as stored.
    pub email: EmailAddress,
    /// True if the account may sign in and refresh.
    pub is_active: bool,
    /// Creation time, in UTC.
    pub created_at: DateTime<Utc>,
    /// Time when the email address was verified, in UTC; `None` if it is unverified.
    pub email_verified_at: Option<DateTime<Utc>>,
}

/// Data of a new account, which will be active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Email address. Its canonical form is stored.
    pub email: EmailAddress,
    /// Credentials.
    pub credentials: Credentials,
    /// Creation time, in UTC.
    pub created_at: DateTime<Utc>,
    /// Time when the email address was verified, in UTC; `None` if it is unverified.
    pub verified_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_of_a_positive_number_is_read() {
        for bad in ["", "0", "01", "+1", "-1", "1.0", " 1", "١", "9223372036854775808"] {
            assert_eq!(UserId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        assert_eq!(format!("{:?}", PasswordHash::new("$2b$12$x".to_owned())), "PasswordHash(…)");
    }

    proptest! {
        #[test]
        fn text_and_number_agree(id in 1_i64..) {
            prop_assert_eq!(UserId::parse(&UserId::new(id).to_string()), Some(UserId::new(id)));
        }
    }
}
