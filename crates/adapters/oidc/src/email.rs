//! Whether a provider's word for an email address is taken.

use crate::config::TrustEmail;
use portcullis_domain::providers::{IdentityKey, ProviderKind, ProviderProfile};
use portcullis_domain::registration::EmailAddress;

/// What a provider says of an email address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EmailFacts {
    pub(crate) email: Option<String>,
    /// `email_verified` (OpenID Connect Core 1.0 §5.1), or `verified` of GitHub.
    pub(crate) email_verified: bool,
    /// `hd` of Google: the organization that manages the account.
    pub(crate) hosted_domain: Option<String>,
    /// `xms_edov` of Microsoft: the owner of the email's domain is verified.
    pub(crate) domain_owner_verified: bool,
    /// `primary` of GitHub.
    pub(crate) primary: bool,
}

/// Creates a profile. A malformed address counts as none.
pub(crate) fn profile(
    (kind, trust): (ProviderKind, TrustEmail),
    key: IdentityKey,
    facts: &EmailFacts,
    multi_factor: bool,
) -> ProviderProfile {
    let email = facts.email.as_deref().and_then(|text| EmailAddress::parse(text).ok());
    let domain_of = |email: &EmailAddress| email.canonical().rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let email_domain = email.as_ref().and_then(domain_of);
    let is_trustworthy = match kind {
        ProviderKind::Google => {
            let is_managed = facts.hosted_domain.as_ref().is_some_and(|domain| !domain.is_empty());
            email_domain.as_deref() == Some("gmail.com") || (facts.email_verified && is_managed)
        }
        ProviderKind::Microsoft => facts.domain_owner_verified,
        ProviderKind::GitHub => facts.email_verified && facts.primary,
        ProviderKind::Apple | ProviderKind::GitLab | ProviderKind::Oidc => facts.email_verified,
    };
    let email_trusted = email.is_some() && trust == TrustEmail::Verified && is_trustworthy;
    let hosted_domain = facts.hosted_domain.as_ref().map(|domain| domain.to_ascii_lowercase());
    let domain = hosted_domain.or_else(|| email_domain.filter(|_| email_trusted));
    ProviderProfile { key, email, email_trusted, domain, multi_factor }
}
