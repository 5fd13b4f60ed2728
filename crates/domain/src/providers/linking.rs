//! Decides which account a person is who signs in with a provider.
//!
//! People are identified by issuer and subject. An email address only helps to find the account of an unknown
//! identity, and only if the provider's word for the address is taken. The first row that fits decides:
//!
//! | | the identity | outcome |
//! |---|---|---|
//! | 1 | is known | its account, regardless of the email that the provider reports now |
//! | 2 | is unknown, and the flow was begun to link it | linked to that account, regardless of the email |
//! | 3 | has no email | `email_missing` |
//! | 4 | no account has the email | a new account without a password, verified if the email is trusted |
//! | 5 | trusted, and the account's email is verified | linked, unless linking by email is off |
//! | 6 | trusted, and the account's email is unverified | the account is reclaimed |
//! | 7 | not trusted, and an account has the email | `account_exists` |
//!
//! - Row 1 in a flow that was begun to link the identity: `identity_taken` if another account has it. The same
//!   account succeeds.
//! - In a flow in which an account authenticates again, any identity but those of this account is `other_account`.
//! - An email that several adopted accounts share, or that an undo still reserves, is `account_exists`.
//! - The allowed domains apply to rows 4 to 7, before any account counts.
//! - A disabled account is `account_disabled` in rows 1, 2, 5 and 6.

use super::{ProviderProfile, SignInError};
use crate::registration::{User, UserId};

/// Conditions of one provider.
///
/// ```
/// # use chrono::DateTime;
/// # use portcullis_domain::providers::*;
/// # use portcullis_domain::registration::{EmailAddress, User, UserId};
/// # let email = EmailAddress::parse("ada@gmail.com")?;
/// # let ada = User { id: UserId::new(1), email, is_active: true, created_at: DateTime::UNIX_EPOCH,
/// #     email_verified_at: None };
/// # let key = IdentityKey::new("https://accounts.google.com", "42").ok_or("subject")?;
/// let facts = EmailFacts { email: Some("ada@gmail.com".into()), ..EmailFacts::default() };
/// let trusted = ProviderProfile::from_facts(key, (ProviderKind::Google, TrustEmail::Verified), &facts, false);
/// let policy = LinkingPolicy::default();
/// let unknown = LinkingFacts::default();
/// assert_eq!(policy.decide(&trusted, &unknown), Ok(Link::SignUp { verified: true }));
/// let unverified = LinkingFacts { accounts: &[ada], ..unknown };
/// assert_eq!(policy.decide(&trusted, &unverified), Ok(Link::Reclaim(UserId::new(1))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkingPolicy {
    /// True if an unknown person gets an account. Default: true.
    pub sign_up: bool,
    /// True if an identity with a trusted email is linked to the account with this verified email. Default:
    /// true.
    pub link_by_email: bool,
    /// Domains whose people may sign in, in any case. Empty, the default, allows all.
    pub allowed_domains: Vec<String>,
}

impl Default for LinkingPolicy {
    fn default() -> Self {
        Self { sign_up: true, link_by_email: true, allowed_domains: Vec::new() }
    }
}

/// Accounts that matter for one sign-in, read in the transaction that carries out the decision.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkingFacts<'a> {
    /// Account that the identity is linked to.
    pub known: Option<&'a User>,
    /// Account whose owner began the flow to link the identity.
    pub link_to: Option<&'a User>,
    /// Account whose owner began the flow to authenticate again.
    pub again: Option<UserId>,
    /// Accounts with the profile's email address, in any spelling.
    pub accounts: &'a [User],
    /// True if an account can still undo a change of its email from this address, and is not the only one in
    /// `accounts`.
    pub is_reserved: bool,
}

/// Account of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The identity's account. Nothing is linked.
    SignIn(UserId),
    /// The account that the flow links the identity to has it already. Nothing is linked.
    AlreadyLinked(UserId),
    /// The identity is to be linked to the account that began the flow.
    LinkTo(UserId),
    /// A new account without a password, and the identity linked to it.
    SignUp {
        /// True if the email address is verified at once. Else an email asks for the verification.
        verified: bool,
    },
    /// The identity is to be linked to the account with its email, whose owner is notified.
    LinkByEmail(UserId),
    /// The account with its email belongs to the person. An attacker may have registered it (account
    /// pre-hijacking, USENIX Security 2022), so before the identity is linked, its password, sessions,
    /// factors, identities, trusted devices, links, codes and flows are removed, and its email is verified.
    Reclaim(UserId),
}

/// Reason why a person gets no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRejection {
    /// The identity is linked to another account than the one that began the flow.
    IdentityTaken,
    /// The identity is not linked to the account that has to authenticate again.
    OtherAccount,
    /// The provider reports no email address.
    EmailMissing,
    /// An account has the email address or can reclaim it: sign in, then link.
    AccountExists,
    /// The person has no account, and the provider may not create one.
    SignUpClosed,
    /// The person's domain is not allowed.
    DomainNotAllowed,
    /// The account is disabled.
    AccountDisabled,
}

impl LinkRejection {
    /// Returns the word in `error` and `details.reason`.
    ///
    /// ```
    /// use portcullis_domain::providers::LinkRejection;
    /// assert_eq!(LinkRejection::IdentityTaken.as_str(), "identity_taken");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        SignInError::from(self).as_str()
    }
}

impl LinkingPolicy {
    /// Decides which account a person is.
    ///
    /// # Errors
    /// Returns why the person gets no account.
    pub fn decide(&self, profile: &ProviderProfile, facts: &LinkingFacts<'_>) -> Result<Link, LinkRejection> {
        if facts.again.is_some() && facts.again != facts.known.map(|known| known.id) {
            return Err(LinkRejection::OtherAccount);
        }
        match (facts.known, facts.link_to) {
            (Some(known), None) => active(known).map(Link::SignIn),
            (Some(known), Some(target)) if known.id != target.id => Err(LinkRejection::IdentityTaken),
            (Some(_), Some(target)) => active(target).map(Link::AlreadyLinked),
            (None, Some(target)) => active(target).map(Link::LinkTo),
            (None, None) => self.decide_by_email(profile, facts),
        }
    }

    /// Decides rows 3 to 7.
    fn decide_by_email(&self, profile: &ProviderProfile, facts: &LinkingFacts<'_>) -> Result<Link, LinkRejection> {
        if profile.email.is_none() {
            return Err(LinkRejection::EmailMissing);
        }
        if !self.allows(profile.domain.as_deref()) {
            return Err(LinkRejection::DomainNotAllowed);
        }
        match facts.accounts {
            _ if facts.is_reserved => Err(LinkRejection::AccountExists),
            [] if self.sign_up => Ok(Link::SignUp { verified: profile.email_trusted }),
            [] => Err(LinkRejection::SignUpClosed),
            [account] if profile.email_trusted => self.decide_trusted(account),
            _ => Err(LinkRejection::AccountExists),
        }
    }

    /// Decides rows 5 and 6.
    fn decide_trusted(&self, account: &User) -> Result<Link, LinkRejection> {
        let id = active(account)?;
        match (account.email_verified_at, self.link_by_email) {
            (None, _) => Ok(Link::Reclaim(id)),
            (Some(_), true) => Ok(Link::LinkByEmail(id)),
            (Some(_), false) => Err(LinkRejection::AccountExists),
        }
    }

    fn allows(&self, domain: Option<&str>) -> bool {
        let allowed = &self.allowed_domains;
        let contains = |domain: &str| allowed.iter().any(|one| one.eq_ignore_ascii_case(domain));
        allowed.is_empty() || domain.is_some_and(contains)
    }
}

fn active(account: &User) -> Result<UserId, LinkRejection> {
    if account.is_active { Ok(account.id) } else { Err(LinkRejection::AccountDisabled) }
}

#[cfg(test)]
#[path = "linking_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "linking_model_tests.rs"]
mod model;
