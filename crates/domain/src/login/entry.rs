//! Who may begin a session, once they have proved who they are.

use super::{Methods, Owner};

/// Properties of an account and its device that decide whether a session may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// True if the account is active.
    pub is_active: bool,
    /// True if its email address is verified.
    pub email_verified: bool,
    /// True if it has a second factor.
    pub second_factor: bool,
    /// True if its owner trusts the device that the login comes from.
    pub trusted_device: bool,
}

impl Standing {
    /// Returns the standing of an account on a device that is not trusted.
    #[must_use]
    pub const fn for_owner(owner: &Owner) -> Self {
        Self {
            is_active: owner.user.is_active,
            email_verified: owner.user.email_verified_at.is_some(),
            second_factor: owner.credentials.has_second_factor(),
            trusted_device: false,
        }
    }
}

/// Conditions of the service for a new session.
///
/// ```
/// use portcullis_domain::login::{EntryPolicy, EntryRejection, Method, Methods, SignIn, Standing};
/// let account =
///     Standing { is_active: true, email_verified: false, second_factor: true, trusted_device: false };
/// let password = Methods::from(Method::Password);
/// assert_eq!(EntryPolicy::default().decide(&account, password), SignIn::SecondFactorRequired);
/// let both = password.with(Method::OneTimeCode);
/// assert_eq!(EntryPolicy::default().decide(&account, both), SignIn::Done);
/// let policy = EntryPolicy { verified_email: true, ..EntryPolicy::default() };
/// assert_eq!(policy.decide(&account, both), SignIn::Refused(EntryRejection::EmailUnverified));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryPolicy {
    /// True if the email address must be verified.
    pub verified_email: bool,
    /// True if every account must have a second factor.
    pub second_factor: bool,
    /// True if a trusted device needs no second factor.
    pub trusted_devices: bool,
}

/// Decision on a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The session may begin.
    Done,
    /// The second factor is due.
    SecondFactorRequired,
    /// The account must set up a second factor first.
    EnrolmentRequired,
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
    /// A passkey that did not verify the user is one factor, and the account has no second one.
    SingleFactorKey,
}

impl EntryPolicy {
    /// Decides whether an account may begin a session after its owner was authenticated by `methods`,
    /// which must not be a second factor alone.
    #[must_use]
    pub const fn decide(&self, account: &Standing, methods: Methods) -> SignIn {
        if !account.is_active {
            return SignIn::Refused(EntryRejection::Inactive);
        }
        if self.verified_email && !account.email_verified {
            return SignIn::Refused(EntryRejection::EmailUnverified);
        }
        if methods.are_multi_factor() {
            return SignIn::Done;
        }
        match (account.second_factor, self.second_factor) {
            (true, _) if self.trusted_devices && account.trusted_device => SignIn::Done,
            (true, _) => SignIn::SecondFactorRequired,
            (false, _) if methods.are_single_key() => SignIn::Refused(EntryRejection::SingleFactorKey),
            (false, true) => SignIn::EnrolmentRequired,
            (false, false) => SignIn::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::Method;
    use crate::passkeys::{AuthenticatorFlags, Passkey};
    use proptest::prelude::*;

    prop_compose! {
        fn standing()(flags: [bool; 4]) -> Standing {
            let [is_active, email_verified, second_factor, trusted_device] = flags;
            Standing { is_active, email_verified, second_factor, trusted_device }
        }
    }

    prop_compose! {
        fn policy()(flags: [bool; 3]) -> EntryPolicy {
            let [verified_email, second_factor, trusted_devices] = flags;
            EntryPolicy { verified_email, second_factor, trusted_devices }
        }
    }

    proptest! {
        #[test]
        fn sessions_begin_only_for_accounts_in_order(account in standing(), policy in policy(), federated: bool) {
            let first = Methods::from(if federated { Method::Federated } else { Method::Password });
            let both = if federated { first.with_provider_factors() } else { first.with(Method::OneTimeCode) };
            if policy.decide(&account, first) == SignIn::Done {
                prop_assert!(account.is_active && (account.email_verified || !policy.verified_email));
                let trusted = policy.trusted_devices && account.trusted_device;
                prop_assert!(!account.second_factor || trusted, "no way around the second factor");
                prop_assert!(account.second_factor || !policy.second_factor);
                prop_assert_eq!(policy.decide(&account, both), SignIn::Done, "more proof is never less");
            }
            let refused = SignIn::Refused(EntryRejection::Inactive);
            prop_assert_eq!(policy.decide(&account, both) == refused, !account.is_active);
            let due = [SignIn::SecondFactorRequired, SignIn::EnrolmentRequired];
            prop_assert!(!due.contains(&policy.decide(&account, both)), "both factors are proved");
        }

        #[test]
        fn passkeys_that_do_not_verify_the_user_are_one_factor(account in standing(), policy in policy(), flags: u8) {
            let methods = Passkey::methods(AuthenticatorFlags(flags));
            let signed_in = policy.decide(&account, methods);
            let with_password = policy.decide(&account, methods.with(Method::Password));
            if AuthenticatorFlags(flags).user_verified() {
                prop_assert_eq!(signed_in, with_password, "it proves both factors");
            } else if with_password == SignIn::Done {
                let trusted = policy.trusted_devices && account.trusted_device;
                let expected = match account.second_factor {
                    true if trusted => SignIn::Done,
                    true => SignIn::SecondFactorRequired,
                    false => SignIn::Refused(EntryRejection::SingleFactorKey),
                };
                prop_assert_eq!(signed_in, expected);
            } else {
                prop_assert_eq!(signed_in, with_password, "the account is refused");
            }
        }
    }
}
