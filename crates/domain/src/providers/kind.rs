//! Kinds of providers.

/// Kind of a provider, which determines its endpoints and the meaning of its email claims.
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
