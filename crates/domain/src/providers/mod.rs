//! Sign-in with identity providers (OpenID Connect Core 1.0, OAuth 2.0 of GitHub): who a provider says
//! someone is, and the account that it is.

mod flow;
mod identity;
mod kind;
mod pkce;
mod redirect;
mod trust;

pub use flow::{SignInCode, SignInCodeDigest, SignInFlow, StateDigest};
pub use identity::{Identity, IdentityId, IdentityKey, ProviderName, ProviderProfile};
pub use kind::{ProviderKind, ResponseMode};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect::{RedirectUri, RedirectUriError, RedirectUris, RedirectUrisError, append_query};
pub use trust::{EmailFacts, TrustEmail};
