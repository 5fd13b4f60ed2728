//! Trust in a provider's word for an email address.

use super::{IdentityKey, ProviderKind, ProviderProfile};
use crate::registration::EmailAddress;

/// Domain for which Google is always authoritative.
const GMAIL: &str = "gmail.com";

/// Setting of a provider: whether its word for an email address can be taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustEmail {
    /// Taken if the provider says that the address is verified, in the way of its kind. See
    /// [`EmailFacts`].
    Verified,
    /// Never taken.
    Never,
}

impl TrustEmail {
    /// Returns the default for a kind. Any user of a Microsoft tenant can choose an email address, and any
    /// other provider may let its users do so.
    #[must_use]
    pub const fn default_for(kind: ProviderKind) -> Self {
        match kind {
            ProviderKind::Google | ProviderKind::Apple | ProviderKind::GitLab | ProviderKind::GitHub => Self::Verified,
            ProviderKind::Microsoft | ProviderKind::Oidc => Self::Never,
        }
    }

    /// Returns the name used in settings.
    ///
    /// ```
    /// use portcullis_domain::providers::TrustEmail;
    /// assert_eq!(TrustEmail::Never.as_str(), "never");
    /// assert_eq!(TrustEmail::parse("never"), Some(TrustEmail::Never));
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Never => "never",
        }
    }

    /// Parses the name used in settings. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Verified, Self::Never].into_iter().find(|trust| trust.as_str() == text)
    }
}

/// Claims of a provider about a person's email address, from its verified response. A missing claim is
/// `None` or `false`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmailFacts {
    /// `email`.
    pub email: Option<String>,
    /// `email_verified` (OpenID Connect Core 1.0 §5.1), or `verified` of GitHub's `/user/emails`.
    pub email_verified: bool,
    /// `hd` of Google: the organization that manages the account.
    pub hosted_domain: Option<String>,
    /// `xms_edov` of Microsoft: the owner of the email's domain is verified.
    pub domain_owner_verified: bool,
    /// `primary` of GitHub's `/user/emails`.
    pub primary: bool,
}

impl EmailFacts {
    /// Returns whether a provider of this kind vouches for the address with these facts. Google does so for
    /// `@gmail.com` and for organizations that it manages: another address may have a new owner since Google
    /// verified it.
    fn are_trusted(&self, kind: ProviderKind, email: &EmailAddress) -> bool {
        match kind {
            ProviderKind::Google => {
                let managed = self.hosted_domain.as_ref().is_some_and(|domain| !domain.is_empty());
                domain_of(email) == GMAIL || (self.email_verified && managed)
            }
            ProviderKind::Microsoft => self.domain_owner_verified,
            ProviderKind::GitHub => self.email_verified && self.primary,
            ProviderKind::Apple | ProviderKind::GitLab | ProviderKind::Oidc => self.email_verified,
        }
    }
}

impl ProviderProfile {
    /// Creates a profile from the claims of a provider of this kind. Ignores a malformed email address.
    ///
    /// ```
    /// use portcullis_domain::providers::{EmailFacts, IdentityKey, ProviderKind, ProviderProfile, TrustEmail};
    /// let key = IdentityKey::new("https://gitlab.com", "42").ok_or("subject")?;
    /// let facts =
    ///     EmailFacts { email: Some("Ada@Example.org".into()), email_verified: true, ..EmailFacts::default() };
    /// let profile = ProviderProfile::from_facts(key, (ProviderKind::GitLab, TrustEmail::Verified), &facts, false);
    /// assert!(profile.email_trusted);
    /// assert_eq!(profile.domain.as_deref(), Some("example.org"));
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn from_facts(
        key: IdentityKey,
        (kind, trust): (ProviderKind, TrustEmail),
        facts: &EmailFacts,
        multi_factor: bool,
    ) -> Self {
        let email = facts.email.as_deref().and_then(|text| EmailAddress::parse(text).ok());
        let vouched = |email: &&EmailAddress| trust == TrustEmail::Verified && facts.are_trusted(kind, email);
        let trusted = email.as_ref().filter(vouched);
        let domain = match &facts.hosted_domain {
            Some(domain) => Some(domain.to_ascii_lowercase()),
            None => trusted.map(|email| domain_of(email).to_owned()),
        };
        let email_trusted = trusted.is_some();
        Self { key, email, email_trusted, domain, multi_factor }
    }
}

fn domain_of(email: &EmailAddress) -> &str {
    email.canonical().rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProviderKind::{Apple, GitHub, GitLab, Google, Microsoft, Oidc};
    use TrustEmail::{Never, Verified};
    use proptest::prelude::*;

    fn profile(kind: ProviderKind, trust: TrustEmail, facts: &EmailFacts) -> ProviderProfile {
        let key = IdentityKey::new("https://id.example", "1").unwrap();
        ProviderProfile::from_facts(key, (kind, trust), facts, false)
    }

    /// Facts with the letters' claims: `v` email_verified, `h` hd, `o` xms_edov, `p` primary.
    fn facts(email: &str, claims: &str) -> EmailFacts {
        EmailFacts {
            email: Some(email.to_owned()),
            email_verified: claims.contains('v'),
            hosted_domain: claims.contains('h').then(|| "Corp.example".to_owned()),
            domain_owner_verified: claims.contains('o'),
            primary: claims.contains('p'),
        }
    }

    #[test]
    fn each_kind_vouches_in_its_own_way() {
        let (own, gmail) = ("ada@corp.example", "Ada@GMail.com");
        for (kind, email, claims, trusted) in [
            (Google, gmail, "", true),
            (Google, "ada@gmail.com.evil.example", "v", false),
            (Google, "ada@googlemail.com", "v", false),
            (Google, "ada@notgmail.com", "v", false),
            (Google, own, "vop", false),
            (Google, own, "hop", false),
            (Google, own, "vh", true),
            (Microsoft, own, "vhp", false),
            (Microsoft, own, "o", true),
            (GitHub, own, "vho", false),
            (GitHub, own, "pho", false),
            (GitHub, own, "vp", true),
            (Apple, own, "hop", false),
            (Apple, own, "v", true),
            (GitLab, own, "hop", false),
            (GitLab, own, "v", true),
            (Oidc, gmail, "hop", false),
            (Oidc, own, "v", true),
        ] {
            let facts = facts(email, claims);
            assert_eq!(profile(kind, Verified, &facts).email_trusted, trusted, "{kind:?} {email} {claims}");
            assert!(!profile(kind, Never, &facts).email_trusted, "{kind:?} {email} {claims}");
        }
        let empty_hd = EmailFacts { hosted_domain: Some(String::new()), ..facts(own, "v") };
        assert!(!profile(Google, Verified, &empty_hd).email_trusted);
    }

    #[test]
    fn hosted_domain_decides_and_untrusted_email_has_none() {
        let domain = |kind, trust, facts: &EmailFacts| profile(kind, trust, facts).domain;
        assert_eq!(domain(Google, Verified, &facts("a@gmail.com", "h")).as_deref(), Some("corp.example"));
        assert_eq!(domain(Google, Verified, &facts("a@GMAIL.com", "")).as_deref(), Some("gmail.com"));
        assert_eq!(domain(Oidc, Never, &facts("a@corp.example", "v")), None);
        assert_eq!(domain(Oidc, Never, &facts("a@b.example", "h")).as_deref(), Some("corp.example"));
    }

    #[test]
    fn malformed_email_is_missing() {
        for email in ["ada", "", "a@b@c.example", "a@localhost", "a\n@corp.example"] {
            let profile = profile(GitLab, Verified, &facts(email, "v"));
            assert_eq!((profile.email, profile.email_trusted, profile.domain), (None, false, None), "{email}");
        }
    }

    #[test]
    fn defaults_are_per_kind() {
        let defaults = ProviderKind::ALL.map(TrustEmail::default_for);
        assert_eq!(defaults, [Verified, Never, Verified, Verified, Verified, Never]);
    }

    proptest! {
        #[test]
        fn domain_is_from_hd_or_a_trusted_email(
            kind in proptest::sample::select(ProviderKind::ALL.as_slice()),
            never: bool,
            email in "\\PC{0,9}|[a-z]{1,3}@([a-z]{1,3}|gmail)\\.com",
            claims in "[vhop]{0,4}",
        ) {
            let facts = facts(&email, &claims);
            let of = profile(kind, if never { Never } else { Verified }, &facts);
            prop_assert!(!of.email_trusted || (of.email.is_some() && !never));
            prop_assert_eq!(of.domain.is_some(), facts.hosted_domain.is_some() || of.email_trusted);
        }
    }
}
