//! Stored records of one-time tokens: purpose, lifetime and validity.

use super::TokenDigest;
use crate::registration::{EmailAddress, PasswordHash, User, UserId};
use chrono::{DateTime, TimeDelta, Utc};

/// Purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Verify the account's email address.
    VerifyEmail,
    /// Set a new password.
    ResetPassword,
    /// Change the account's email address to the one the token was sent to.
    ChangeEmail,
    /// Restore the account's previous email address.
    UndoEmailChange,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 4] = [Self::VerifyEmail, Self::ResetPassword, Self::ChangeEmail, Self::UndoEmailChange];

    /// Returns the name used in the database.
    ///
    /// ```
    /// use portcullis_domain::verification::Purpose;
    /// assert_eq!(Purpose::ResetPassword.as_str(), "reset_password");
    /// assert_eq!(Purpose::parse("reset_password"), Some(Purpose::ResetPassword));
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmailChange => "undo_email",
        }
    }

    /// Parses the name used in the database. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// Returns how long a token is valid after its email is sent: 30 minutes for a password reset
    /// (OWASP ASVS 6.5.5 allows an hour), 24 hours for an email address (NIST SP 800-63B-4 §4.2.1.2), 7
    /// days for an undo.
    #[must_use]
    pub const fn lifetime(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::minutes(30),
            Self::VerifyEmail | Self::ChangeEmail => TimeDelta::hours(24),
            Self::UndoEmailChange => TimeDelta::days(7),
        }
    }

    /// Returns whether the token stays valid when the password or email address changes. Only an undo
    /// token does: an attacker who took over the account would change both.
    #[must_use]
    pub const fn survives_credential_change(self) -> bool {
        matches!(self, Self::UndoEmailChange)
    }
}

/// Keyed hash of a stored password hash, which identifies the password. Most tokens become invalid when
/// it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordVersion([u8; 32]);

impl PasswordVersion {
    /// Creates a version from the MAC of [`PasswordVersion::mac_input`].
    #[must_use]
    pub const fn new(code: [u8; 32]) -> Self {
        Self(code)
    }

    /// Returns the bytes, for storage.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the MAC input for a password hash.
    #[must_use]
    pub fn mac_input(hash: &PasswordHash) -> Vec<u8> {
        [b"password-version/".as_slice(), hash.expose().as_bytes()].concat()
    }
}

/// One-time token that was issued and not used yet.
///
/// ```
/// # use chrono::{DateTime, TimeDelta};
/// # use portcullis_domain::registration::*;
/// # use portcullis_domain::verification::*;
/// # let now = DateTime::UNIX_EPOCH;
/// # let email = EmailAddress::parse("ada@example.org")?;
/// # let user = User { id: UserId::new(1), email: email.clone(), is_active: true, created_at: now,
/// #     email_verified_at: None };
/// let version = PasswordVersion::new([1; 32]);
/// let purpose = Purpose::ResetPassword;
/// let digest = TokenDigest::new([7; 32]);
/// let expires_at = now + purpose.lifetime();
/// let record =
///     OneTimeTokenRecord { digest, purpose, user_id: user.id, email, password: version, expires_at };
/// assert!(record.is_valid_for(&user, &version, now));
/// assert!(!record.is_valid_for(&user, &PasswordVersion::new([2; 32]), now), "another password");
/// assert!(!record.is_valid_for(&user, &version, now + TimeDelta::minutes(30)), "too late");
/// # Ok::<(), EmailError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeTokenRecord {
    /// Digest that identifies the token.
    pub digest: TokenDigest,
    /// Purpose of the token.
    pub purpose: Purpose,
    /// Account that the token is for.
    pub user_id: UserId,
    /// Email address that the token was sent to.
    pub email: EmailAddress,
    /// Password version of the account at the time of issue.
    pub password: PasswordVersion,
    /// Expiry time in UTC. The token is invalid from this moment on.
    pub expires_at: DateTime<Utc>,
}

impl OneTimeTokenRecord {
    /// Returns whether the token is valid at `now` for the account in its current state.
    #[must_use]
    pub fn is_valid_for(&self, user: &User, password: &PasswordVersion, now: DateTime<Utc>) -> bool {
        let unchanged = match self.purpose {
            Purpose::VerifyEmail | Purpose::ResetPassword => {
                self.email.original() == user.email.original() && self.password == *password
            }
            // The email is the new address, so it differs from the account's.
            Purpose::ChangeEmail => self.password == *password,
            Purpose::UndoEmailChange => true,
        };
        unchanged && self.user_id == user.id && user.is_active && now < self.expires_at
    }

    /// Returns whether using the token proves ownership of the address for the first time, or takes the
    /// account back. Everything set up before, including the password, may then be an attacker's
    /// (account pre-hijacking, USENIX Security 2022).
    #[must_use]
    pub fn claims(&self, user: &User) -> bool {
        match self.purpose {
            Purpose::VerifyEmail => user.email_verified_at.is_none(),
            Purpose::ChangeEmail => {
                user.email_verified_at.is_none() || self.email.canonical() != user.email.canonical()
            }
            Purpose::UndoEmailChange => true,
            // A reset replaces the password itself.
            Purpose::ResetPassword => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(email: &str) -> User {
        User {
            id: UserId::new(1),
            email: EmailAddress::from_stored(email.to_owned()),
            is_active: true,
            created_at: DateTime::UNIX_EPOCH,
            email_verified_at: None,
        }
    }

    fn record(purpose: Purpose, email: &str) -> OneTimeTokenRecord {
        let (digest, password) = (TokenDigest::new([1; 32]), PasswordVersion::new([1; 32]));
        let expires_at = DateTime::UNIX_EPOCH + purpose.lifetime();
        let (user_id, email) = (UserId::new(1), EmailAddress::from_stored(email.to_owned()));
        OneTimeTokenRecord { digest, purpose, user_id, email, password, expires_at }
    }

    #[test]
    fn every_spelling_is_its_own() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::parse(purpose.as_str()), Some(purpose));
        }
    }

    #[test]
    fn the_first_proof_of_an_address_and_an_undo_claim_the_account() {
        let unverified = user("a@x.org");
        let verified = User { email_verified_at: Some(DateTime::UNIX_EPOCH), ..unverified.clone() };
        let claims = |purpose, to| (record(purpose, to).claims(&unverified), record(purpose, to).claims(&verified));
        assert_eq!(claims(Purpose::VerifyEmail, "a@x.org"), (true, false));
        assert_eq!(claims(Purpose::ChangeEmail, "b@x.org"), (true, true), "nobody has proven the new address");
        assert_eq!(claims(Purpose::ChangeEmail, "A@x.org"), (true, false), "another spelling");
        assert_eq!(claims(Purpose::UndoEmailChange, "b@x.org"), (true, true));
        assert_eq!(claims(Purpose::ResetPassword, "a@x.org"), (false, false));
    }

    #[test]
    fn token_dies_at_expiry_or_when_its_bound_account_data_changes() {
        let (same, other) = (PasswordVersion::new([1; 32]), PasswordVersion::new([2; 32]));
        let ada = user("a@x.org");
        for purpose in Purpose::ALL {
            let record = record(purpose, "a@x.org");
            let (start, end) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + purpose.lifetime());
            assert!(record.is_valid_for(&ada, &same, start), "{purpose:?}");
            assert!(!record.is_valid_for(&ada, &same, end), "{purpose:?}");
            assert!(!record.is_valid_for(&User { is_active: false, ..ada.clone() }, &same, start));
            assert!(!record.is_valid_for(&User { id: UserId::new(2), ..ada.clone() }, &same, start));
            assert_eq!(record.is_valid_for(&ada, &other, start), purpose == Purpose::UndoEmailChange);
            let moved = record.is_valid_for(&user("b@x.org"), &same, start);
            assert_eq!(moved, matches!(purpose, Purpose::ChangeEmail | Purpose::UndoEmailChange), "{purpose:?}");
        }
    }
}
