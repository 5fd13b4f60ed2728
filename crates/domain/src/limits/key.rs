//! Whom a budget belongs to. What is kept is a digest: whoever reads a limiter's memory learns no
//! address.

use super::{Budget, DeviceId, Source};
use crate::mail::Occasion;
use crate::registration::EmailAddress;
use std::fmt;

/// Whom a budget belongs to.
#[derive(Debug, Clone, Copy)]
pub enum LimitSubject<'a> {
    /// An account by its canonical address, whether there is one or not.
    Account(&'a EmailAddress),
    /// A device that is known to an account.
    Device(&'a EmailAddress, DeviceId),
    /// A source, as far as one account is concerned.
    AccountSource(&'a EmailAddress, Source),
    /// Emails of one purpose to an address. An email that a stranger requested for one purpose never
    /// stands in the way of an email for another.
    Mail(Occasion, &'a EmailAddress),
    /// A source.
    Source(Source),
    /// Whatever bytes a caller knows something by, such as a token's identifier.
    Bytes(&'a [u8]),
}

impl LimitSubject<'_> {
    /// The bytes that tell it from every other subject of the same budget.
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
            Self::Source(source) => bytes.extend(source.to_string().as_bytes()),
            Self::Bytes(more) => bytes.extend(*more),
        }
        bytes
    }
}

/// The digest of a subject, under a key that only the service knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitKey([u8; 16]);

impl LimitKey {
    /// Takes the first half of a digest: collisions are of no use to anybody who cannot choose it.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// The bytes.
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
