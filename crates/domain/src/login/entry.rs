//! Who may begin a session, once they have proved who they are.

use super::{Methods, Owner};

/// What decides whether an account may begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// True if the account is active.
    pub is_active: bool,
    /// True if its email address is verified.
    pub email_verified: bool,
}

impl From<&Owner> for Standing {
    fn from(owner: &Owner) -> Self {
        Self { is_active: owner.user.is_active, email_verified: owner.user.email_verified_at.is_some() }
    }
}

/// Conditions of the service for a new session.
///
/// ```
/// use portcullis_domain::login::{EntryPolicy, EntryRejection, Method, Methods, SignIn, Standing};
/// let policy = EntryPolicy { verified_email: true };
/// let unverified = Standing { is_active: true, email_verified: false };
/// let shown = Methods::from(Method::Password);
/// assert_eq!(policy.decide(&unverified, shown), SignIn::Refused(EntryRejection::EmailUnverified));
/// assert_eq!(EntryPolicy::default().decide(&unverified, shown), SignIn::Done(shown));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryPolicy {
    /// True if the email address must be verified.
    pub verified_email: bool,
}

/// Decision on a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The session may begin.
    Done(Methods),
    /// No session begins.
    Refused(EntryRejection),
}

/// Reason why an account may not begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryRejection {
    /// The account is disabled.
    Inactive,
    /// The email address must be verified first.
    EmailUnverified,
}

impl EntryPolicy {
    /// Decides whether an account may begin a session after its owner was authenticated by the methods
    /// `shown`.
    #[must_use]
    pub const fn decide(&self, account: &Standing, shown: Methods) -> SignIn {
        if !account.is_active {
            return SignIn::Refused(EntryRejection::Inactive);
        }
        if self.verified_email && !account.email_verified {
            return SignIn::Refused(EntryRejection::EmailUnverified);
        }
        SignIn::Done(shown)
    }
}
