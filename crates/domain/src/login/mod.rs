//! Login rules: account lookup by email address, credentials, authentication methods, the decision on a new
//! session, and step-up authentication.

mod authentication;
mod entry;
mod local_path;
mod methods;
mod owner;
mod step_up;

pub use authentication::Authentication;
pub use entry::{EntryPolicy, EntryRejection, SignIn, Standing};
pub use local_path::LocalPath;
pub use methods::{Method, Methods};
pub use owner::{Credentials, Owner};
pub use step_up::StepUpPolicy;

use crate::registration::{EmailAddress, User, UserId};

/// Number of failed attempts after which a successful login is suspicious.
const MANY_FAILURES: u32 = 5;

/// Selects the account for an email address from those with the same canonical form.
///
/// A single account matches any spelling. If the addresses of several accounts differ by case only, as
/// those of adopted accounts can, each account matches only its exact spelling. Returns `None` if none
/// matches.
///
/// ```
/// # use portcullis_domain::{login, registration::*};
/// # let user = |id, email: &str| User { id: UserId::new(id), email: EmailAddress::from_stored(email.into()),
/// #     is_active: true, created_at: chrono::DateTime::UNIX_EPOCH, email_verified_at: None };
/// let both = vec![user(5, "Erin@example.com"), user(6, "erin@example.com")];
/// let typed = EmailAddress::parse("Erin@example.com")?;
/// assert_eq!(login::select_account(both.clone(), &typed).map(|u| u.id), Some(UserId::new(5)));
/// assert_eq!(login::select_account(both, &EmailAddress::parse("ERIN@example.com")?), None);
/// # Ok::<(), EmailError>(())
/// ```
#[must_use]
pub fn select_account<T: AsRef<User>>(candidates: Vec<T>, email: &EmailAddress) -> Option<T> {
    let alone = candidates.len() == 1;
    candidates.into_iter().find(|account| alone || account.as_ref().email.original() == email.original())
}

/// Returns the owner if a password proves them, given the account found, if any, and whether its
/// password matched. [`EntryPolicy`] decides whether they may begin a session.
///
/// # Errors
/// Returns [`LoginRejection`], for the log only. Clients get the same response for every reason.
pub fn proved(owner: Option<Owner>, password_matched: bool) -> Result<Owner, LoginRejection> {
    match owner {
        None => Err(LoginRejection::UnknownEmail),
        Some(owner) if !password_matched => Err(LoginRejection::WrongPassword(owner.user.id)),
        Some(owner) => Ok(owner),
    }
}

/// Returns whether a login succeeded after so many failed attempts that the owner should be notified.
/// `waited` is true if the login had to wait because the free attempts of the account or device were
/// spent.
///
/// ```
/// use portcullis_domain::login::is_suspicious;
/// assert!(is_suspicious(5, false) && is_suspicious(0, true));
/// assert!(!is_suspicious(4, false), "a person who mistypes");
/// ```
#[must_use]
pub const fn is_suspicious(failures: u32, waited: bool) -> bool {
    failures >= MANY_FAILURES || waited
}

/// Reason for a refused login. Only for the log: clients get one response for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRejection {
    /// No account has this email address.
    UnknownEmail,
    /// The password does not match, or the stored hash is unreadable.
    WrongPassword(UserId),
    /// The password matches, but the account is disabled.
    Inactive(UserId),
    /// A passkey did not verify the user, and the account has no other second factor.
    SingleFactorKey(UserId),
}

impl LoginRejection {
    /// Returns the account, or `None` if the email address is unknown.
    #[must_use]
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::UnknownEmail => None,
            Self::WrongPassword(id) | Self::Inactive(id) | Self::SingleFactorKey(id) => Some(id),
        }
    }

    /// Returns the name used in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEmail => "unknown_email",
            Self::WrongPassword(_) => "wrong_password",
            Self::Inactive(_) => "inactive_account",
            Self::SingleFactorKey(_) => "single_factor_key",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::PasswordHash;

    fn user(id: i64, email: &str) -> User {
        User {
            id: UserId::new(id),
            email: EmailAddress::from_stored(email.to_owned()),
            is_active: true,
            created_at: chrono::DateTime::UNIX_EPOCH,
            email_verified_at: None,
        }
    }

    fn chosen(stored: &[&str], typed: &str) -> Option<i64> {
        let candidates = (1..).zip(stored).map(|(id, email)| user(id, email)).collect();
        select_account(candidates, &EmailAddress::parse(typed).unwrap()).map(|u| u.id.get())
    }

    #[test]
    fn a_lone_account_answers_to_any_spelling() {
        assert_eq!(chosen(&["Bob@example.com"], "BOB@EXAMPLE.COM"), Some(1));
        assert_eq!(chosen(&[], "bob@example.com"), None);
    }

    #[test]
    fn accounts_that_differ_by_case_answer_to_their_own_spelling() {
        let erins = ["Erin@example.com", "erin@example.com"];
        assert_eq!(chosen(&erins, "Erin@Example.com"), Some(1));
        assert_eq!(chosen(&erins, "erin@example.com"), Some(2));
        assert_eq!(chosen(&erins, "eRin@example.com"), None);
    }

    #[test]
    fn only_a_matching_password_proves_an_owner() {
        let credentials = Credentials::from_hash(PasswordHash::new(String::new()));
        let owner = || Some(Owner { user: user(1, "a@b.org"), credentials: credentials.clone() });
        assert_eq!(proved(None, true), Err(LoginRejection::UnknownEmail));
        assert_eq!(proved(owner(), false), Err(LoginRejection::WrongPassword(UserId::new(1))));
        assert!(proved(owner(), true).is_ok());
    }
}
