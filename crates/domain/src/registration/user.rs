//! The account as the rules see it.

use super::EmailAddress;
use chrono::{DateTime, Utc};
use std::fmt;

/// The number of an account, given by the store.
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
    /// Takes a number from the store.
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Reads the text form, as a token's `sub` has it: decimal digits of a positive number,
    /// with no sign and no leading zero.
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

/// A salted slow hash of a password, in the text form of its scheme. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes the text of a hash, from a hasher or a store.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever verifies or stores it.
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

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: UserId,
    /// Its address, as stored.
    pub email: EmailAddress,
    /// The hash of its password.
    pub password: PasswordHash,
    /// Whether it may sign in and refresh.
    pub is_active: bool,
    /// When it was made, in UTC.
    pub created_at: DateTime<Utc>,
    /// When its address was verified, if it was, in UTC.
    pub email_verified_at: Option<DateTime<Utc>>,
}

/// An account that the store has yet to number. It will be active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its address; the canonical form is what is stored.
    pub email: EmailAddress,
    /// The hash of its password.
    pub password: PasswordHash,
    /// When it is made, in UTC.
    pub created_at: DateTime<Utc>,
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
