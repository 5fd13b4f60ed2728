//! Reasons why a sign-in with a provider fails.

use super::LinkRejection;

/// Reason why a sign-in did not succeed, as the client gets it in `error` (RFC 6749 §4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInError {
    /// The person canceled, or the provider refused the request.
    AccessDenied,
    /// An account has the email address, and the provider's word for the address does not open it.
    AccountExists,
    /// The identity is linked to another account.
    IdentityTaken,
    /// An account was to authenticate again, and the identity is not linked to it.
    OtherAccount,
    /// The provider reports no email address.
    EmailMissing,
    /// The person has no account, and the provider may not create one.
    SignUpClosed,
    /// The person's domain is not allowed.
    DomainNotAllowed,
    /// The account is disabled.
    AccountDisabled,
    /// The flow is too old or was used.
    FlowExpired,
    /// The provider sent no response, an error or an oversized response.
    ProviderUnavailable,
    /// The provider's response is not valid, or this service failed.
    ServerError,
}

impl SignInError {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::AccessDenied,
        Self::AccountExists,
        Self::IdentityTaken,
        Self::OtherAccount,
        Self::EmailMissing,
        Self::SignUpClosed,
        Self::DomainNotAllowed,
        Self::AccountDisabled,
        Self::FlowExpired,
        Self::ProviderUnavailable,
        Self::ServerError,
    ];

    /// Returns the value of `error`.
    ///
    /// ```
    /// use portcullis_domain::providers::SignInError;
    /// assert_eq!(SignInError::FlowExpired.as_str(), "flow_expired");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AccountExists => "account_exists",
            Self::IdentityTaken => "identity_taken",
            Self::OtherAccount => "other_account",
            Self::EmailMissing => "email_missing",
            Self::SignUpClosed => "sign_up_closed",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::AccountDisabled => "account_disabled",
            Self::FlowExpired => "flow_expired",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

impl From<LinkRejection> for SignInError {
    fn from(rejection: LinkRejection) -> Self {
        match rejection {
            LinkRejection::IdentityTaken => Self::IdentityTaken,
            LinkRejection::OtherAccount => Self::OtherAccount,
            LinkRejection::EmailMissing => Self::EmailMissing,
            LinkRejection::AccountExists => Self::AccountExists,
            LinkRejection::SignUpClosed => Self::SignUpClosed,
            LinkRejection::DomainNotAllowed => Self::DomainNotAllowed,
            LinkRejection::AccountDisabled => Self::AccountDisabled,
        }
    }
}
