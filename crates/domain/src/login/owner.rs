//! An account together with what proves its owner.

use crate::registration::{PasswordHash, User};

/// Prefix of the stored hash of an account with a second factor. The FastAPI application and releases
/// without second factors cannot read such a hash, and refuse the password.
const MARK: &str = "$portcullis-2fa$";

/// Credentials of an account, as stored. Redacted in `Debug`.
///
/// The stored text of an account with a second factor is its hash behind the mark `$portcullis-2fa$`. The
/// mark only stops programs that do not know second factors. Whether the account has one is read from the
/// factors: another program that sets a password also removes the mark.
///
/// An account without a password has a hash of random bytes, so that a login takes the usual time. The same
/// hash is stored as [`no_password_hash`](Self::no_password_hash). Once another program sets a password, the
/// two differ, and the account has one.
///
/// ```
/// use portcullis_domain::{login::Credentials, registration::PasswordHash};
/// let hash = |text: &str| PasswordHash::new(text.to_owned());
/// let credentials = Credentials::from_stored(hash("$portcullis-2fa$$2b$12$old"), None, true);
/// assert_eq!(credentials.hash(), &hash("$2b$12$old"));
/// assert_eq!(credentials.with_hash(hash("$2b$12$new")).text(), "$portcullis-2fa$$2b$12$new");
/// assert!(Credentials::from_stored(hash("$2b$12$reset"), None, true).lacks_mark());
/// let random = hash("$2b$12$random");
/// assert!(!Credentials::from_stored(random.clone(), Some(&random), false).has_password());
/// assert!(Credentials::from_stored(hash("$2b$12$reset"), Some(&random), false).has_password());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    hash: PasswordHash,
    /// The stored text, if it has the mark.
    marked: Option<PasswordHash>,
    has_password: bool,
    has_second_factor: bool,
}

impl Credentials {
    /// Creates credentials from the hash of the password, without a second factor.
    #[must_use]
    pub const fn from_hash(hash: PasswordHash) -> Self {
        Self { hash, marked: None, has_password: true, has_second_factor: false }
    }

    /// Creates the credentials of a new account without a password. `hash` is a hash of random bytes.
    #[must_use]
    pub const fn without_password(hash: PasswordHash) -> Self {
        Self { hash, marked: None, has_password: false, has_second_factor: false }
    }

    /// Creates credentials from the stored text, which may be marked, the stored hash that is no password's,
    /// and whether the account has a second factor.
    #[must_use]
    pub fn from_stored(text: PasswordHash, no_password: Option<&PasswordHash>, has_second_factor: bool) -> Self {
        let (hash, marked) = match text.expose().strip_prefix(MARK).map(|hash| PasswordHash::new(hash.to_owned())) {
            Some(hash) => (hash, Some(text)),
            None => (text, None),
        };
        let has_password = no_password != Some(&hash);
        Self { hash, marked, has_password, has_second_factor }
    }

    /// Returns the hash that passwords are verified against, and that links are bound to.
    #[must_use]
    pub const fn hash(&self) -> &PasswordHash {
        &self.hash
    }

    /// Returns the same hash as [`hash`](Self::hash).
    #[must_use]
    pub fn into_hash(self) -> PasswordHash {
        self.hash
    }

    /// Returns the stored text, with the mark. It is compared and replaced as a whole.
    #[must_use]
    pub fn text(&self) -> &str {
        self.marked.as_ref().unwrap_or(&self.hash).expose()
    }

    /// Returns whether the account has a password.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.has_password
    }

    /// Returns the hash to store next to the text: the same as [`hash`](Self::hash) if the account has no
    /// password, otherwise `None`.
    #[must_use]
    pub fn no_password_hash(&self) -> Option<&PasswordHash> {
        (!self.has_password).then_some(&self.hash)
    }

    /// Returns whether the account has a second factor.
    #[must_use]
    pub const fn has_second_factor(&self) -> bool {
        self.has_second_factor
    }

    /// Returns whether the stored text has the mark.
    #[must_use]
    pub const fn is_marked(&self) -> bool {
        self.marked.is_some()
    }

    /// Returns whether another program removed the mark of an account with a second factor.
    #[must_use]
    pub const fn lacks_mark(&self) -> bool {
        self.has_second_factor && !self.is_marked()
    }

    /// Returns the credentials with another hash of the password, or with a first password. Keeps the mark.
    #[must_use]
    pub fn with_hash(self, hash: PasswordHash) -> Self {
        let new = Self { hash, marked: None, has_password: true, ..self };
        if self.marked.is_some() { new.marked() } else { new }
    }

    /// Returns the credentials without the password. `hash` is a hash of random bytes. Keeps the mark.
    #[must_use]
    pub fn with_password_removed(self, hash: PasswordHash) -> Self {
        Self { has_password: false, ..self.with_hash(hash) }
    }

    /// Returns the credentials with the mark.
    #[must_use]
    pub fn marked(mut self) -> Self {
        self.marked = Some(PasswordHash::new([MARK, self.hash.expose()].concat()));
        self
    }

    /// Returns the credentials without the mark.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        self.marked = None;
        self
    }
}

/// Account with its credentials, read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub user: User,
    /// Its credentials.
    pub credentials: Credentials,
}

impl AsRef<User> for Owner {
    fn as_ref(&self) -> &User {
        &self.user
    }
}

impl AsRef<Self> for User {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::new(text.to_owned())
    }

    #[test]
    fn a_mark_hides_the_hash_from_other_programs_only() {
        let plain = Credentials::from_stored(hash("$2b$12$x"), None, false);
        assert_eq!(plain, Credentials::from_hash(hash("$2b$12$x")));
        let marked = plain.clone().marked();
        assert_eq!((marked.hash(), marked.text()), (plain.hash(), "$portcullis-2fa$$2b$12$x"));
        assert_eq!((marked.clone().marked(), marked.unmarked()), (plain.clone().marked(), plain));
    }

    #[test]
    fn rows_decide_and_not_the_mark() {
        for (text, factor, lacks) in [
            ("x", false, false),
            ("x", true, true),
            ("$portcullis-2fa$x", true, false),
            ("$portcullis-2fa$x", false, false),
        ] {
            let read = Credentials::from_stored(hash(text), None, factor);
            assert_eq!((read.has_second_factor(), read.lacks_mark()), (factor, lacks), "{text} {factor}");
        }
    }

    #[test]
    fn account_has_a_password_unless_its_bare_hash_is_the_random_one() {
        let random = hash("random");
        for (text, no_password, has) in [
            ("random", Some(&random), false),
            ("$portcullis-2fa$random", Some(&random), false),
            ("set by another program", Some(&random), true),
            ("random", None, true),
        ] {
            assert_eq!(Credentials::from_stored(hash(text), no_password, false).has_password(), has, "{text}");
        }
        let without = Credentials::without_password(random.clone());
        assert!(!without.clone().marked().unmarked().has_password(), "the mark says nothing of passwords");
        assert_eq!(without.with_hash(hash("first")), Credentials::from_hash(hash("first")));
        let removed = Credentials::from_hash(hash("first")).marked().with_password_removed(random.clone());
        assert_eq!(removed, Credentials::without_password(random).marked());
    }

    proptest! {
        #[test]
        fn what_is_stored_is_kept(text in "(\\$portcullis-2fa\\$){0,2}[ -~]{0,20}", factor: bool, password: bool) {
            let bare = Credentials::from_stored(hash(&text), None, factor).into_hash();
            let read = Credentials::from_stored(hash(&text), (!password).then_some(&bare), factor);
            prop_assert_eq!(read.text(), &text);
            prop_assert_eq!(read.no_password_hash().is_none(), password);
            prop_assert_eq!(Credentials::from_stored(hash(read.text()), read.no_password_hash(), factor), read);
        }
    }
}
