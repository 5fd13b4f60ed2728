//! Kinds of providers and their defaults.

use super::ProviderName;

/// Kind of a provider, which determines its endpoints and the meaning of its email claims.
///
/// ```
/// use portcullis_domain::providers::{ProviderKind, ProviderName};
/// let kind = |name| ProviderName::parse(name).as_ref().map(ProviderKind::for_name);
/// assert_eq!(kind("google"), Some(ProviderKind::Google));
/// assert_eq!(kind("corp"), Some(ProviderKind::Oidc));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Google.
    Google,
    /// Microsoft Entra ID.
    Microsoft,
    /// Sign in with Apple.
    Apple,
    /// GitLab.
    GitLab,
    /// GitHub, which has no ID tokens.
    GitHub,
    /// Any other OpenID provider.
    Oidc,
}

/// Way in which a provider returns the code (OAuth 2.0 Multiple Response Type Encoding Practices §2.1,
/// OAuth 2.0 Form Post Response Mode §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect.
    Query,
    /// In a form that the browser posts.
    FormPost,
}

impl ProviderKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Google, Self::Microsoft, Self::Apple, Self::GitLab, Self::GitHub, Self::Oidc];

    /// Returns the name used in settings and responses.
    ///
    /// ```
    /// use portcullis_domain::providers::ProviderKind;
    /// assert_eq!(ProviderKind::GitLab.as_str(), "gitlab");
    /// assert_eq!(ProviderKind::parse("gitlab"), Some(ProviderKind::GitLab));
    /// assert_eq!(ProviderKind::parse("GitLab"), None);
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Apple => "apple",
            Self::GitLab => "gitlab",
            Self::GitHub => "github",
            Self::Oidc => "oidc",
        }
    }

    /// Parses the name used in settings. Returns `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Returns the kind of a provider whose kind is not set: the one with the same name, else
    /// [`Oidc`](Self::Oidc).
    #[must_use]
    pub fn for_name(name: &ProviderName) -> Self {
        Self::parse(name.as_str()).unwrap_or(Self::Oidc)
    }

    /// Returns the default label of the button: the product's name, or the provider's for
    /// [`Oidc`](Self::Oidc).
    #[must_use]
    pub fn default_label(self, name: &ProviderName) -> &str {
        match self {
            Self::Google => "Google",
            Self::Microsoft => "Microsoft",
            Self::Apple => "Apple",
            Self::GitLab => "GitLab",
            Self::GitHub => "GitHub",
            Self::Oidc => name.as_str(),
        }
    }

    /// Returns the default issuer, or `None` for [`Oidc`](Self::Oidc), which has none. That of GitHub only
    /// identifies its accounts: GitHub has no discovery.
    #[must_use]
    pub const fn default_issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("https://accounts.google.com"),
            Self::Microsoft => Some("https://login.microsoftonline.com/common/v2.0"),
            Self::Apple => Some("https://appleid.apple.com"),
            Self::GitLab => Some("https://gitlab.com"),
            Self::GitHub => Some("https://github.com"),
            Self::Oidc => None,
        }
    }

    /// Returns the default scopes, which suffice for the subject and the email address.
    #[must_use]
    pub const fn default_scopes(self) -> &'static str {
        match self {
            Self::GitHub => "user:email",
            Self::Google | Self::Microsoft | Self::Apple | Self::GitLab | Self::Oidc => "openid email",
        }
    }

    /// Returns the default response mode. Apple refuses any other if a scope is requested.
    #[must_use]
    pub const fn default_response_mode(self) -> ResponseMode {
        match self {
            Self::Apple => ResponseMode::FormPost,
            Self::Google | Self::Microsoft | Self::GitLab | Self::GitHub | Self::Oidc => ResponseMode::Query,
        }
    }
}

impl ResponseMode {
    /// Returns the value of `response_mode`.
    ///
    /// ```
    /// use portcullis_domain::providers::ResponseMode;
    /// assert_eq!(ResponseMode::FormPost.as_str(), "form_post");
    /// assert_eq!(ResponseMode::parse("form_post"), Some(ResponseMode::FormPost));
    /// assert_eq!(ResponseMode::parse("fragment"), None);
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    /// Parses a value of `response_mode`. Returns `None` if it is not supported.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Query, Self::FormPost].into_iter().find(|mode| mode.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_its_own() {
        for kind in ProviderKind::ALL {
            assert_eq!(ProviderKind::parse(kind.as_str()), Some(kind));
            assert_eq!(ProviderKind::for_name(&ProviderName::parse(kind.as_str()).unwrap()), kind);
        }
    }
}
