//! Keys of budgets. A key is a keyed digest, so a limiter's memory reveals no email or IP address.

use super::{Budget, DeviceId, Source};
use crate::mail::Occasion;
use crate::registration::{EmailAddress, UserId};
use std::fmt;

/// Subject that a budget belongs to.
#[derive(Debug, Clone, Copy)]
pub enum LimitSubject<'a> {
    /// Account by its canonical email address, even if no such account exists.
    Account(&'a EmailAddress),
    /// Known device of an account.
    Device(&'a EmailAddress, DeviceId),
    /// Source, counted separately for each account.
    AccountSource(&'a EmailAddress, Source),
    /// Existing account.
    User(UserId),
    /// Known device of an existing account.
    UserDevice(UserId, DeviceId),
    /// Emails to one email address, counted separately for each occasion, so that requests for one
    /// occasion never block emails for another.
    Mail(Occasion, &'a EmailAddress),
    /// Source, counted for all accounts together.
    Source(Source),
    /// Other bytes that identify a subject, such as a token's id.
    Bytes(&'a [u8]),
}

impl LimitSubject<'_> {
    /// Returns bytes that distinguish this subject from every other subject of the same budget.
    ///
    /// ```
    /// use portcullis_domain::{limits::{Budget, LimitSubject}, registration::{EmailAddress, EmailError}};
    /// let canonical = |text: &str| -> Result<_, EmailError> {
    ///     Ok(LimitSubject::Account(&EmailAddress::parse(text)?).key_bytes(Budget::Account))
    /// };
    /// assert_eq!(canonical(" a@X.ORG "), canonical("A@x.org"));
    /// ```
    #[must_use]
    pub fn key_bytes(&self, budget: Budget) -> Vec<u8> {
        let mut bytes = format!("limit/{}/", budget.as_str()).into_bytes();
        match self {
            Self::Account(email) => bytes.extend(email.canonical().as_bytes()),
            Self::Device(email, device) => {
                bytes.extend(device.as_bytes());
                bytes.extend(email.canonical().as_bytes());
            }
            Self::AccountSource(email, source) => {
                bytes.extend(format!("{source}/").as_bytes());
                bytes.extend(email.canonical().as_bytes());
            }
            Self::Mail(purpose, email) => {
                bytes.extend(format!("{}/", purpose.as_str()).as_bytes());
                bytes.extend(email.canonical().as_bytes());
            }
            Self::User(user) => bytes.extend(user.get().to_be_bytes()),
            Self::UserDevice(user, device) => {
                bytes.extend(device.as_bytes());
                bytes.extend(user.get().to_be_bytes());
            }
            Self::Source(source) => bytes.extend(source.to_string().as_bytes()),
            Self::Bytes(more) => bytes.extend(*more),
        }
        bytes
    }
}

/// Key of a tally in a limiter: a keyed digest of the subject and the budget.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitKey([u8; 16]);

impl LimitKey {
    /// Creates a key from the first half of a digest. Collisions are useless to an attacker, who cannot
    /// choose the digest.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({self})")
    }
}
