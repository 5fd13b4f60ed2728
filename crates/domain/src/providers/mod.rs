//! Sign-in with identity providers (OpenID Connect Core 1.0, GitHub's OAuth 2.0): identities, redirect URIs,
//! PKCE, and the decision which account a person gets.

mod error;
mod flow;
mod identity;
mod kind;
mod linking;
mod pkce;
mod redirect;
mod trust;

pub use error::SignInError;
pub use flow::{
    FLOW_LIFETIME, LINK_START_LIFETIME, NATIVE_ID_TOKEN_MAX_AGE, SIGN_IN_CODE_LIFETIME, SignInCode, SignInCodeDigest,
    SignInFlow, SignInSecret, StateDigest,
};
pub use identity::{Identity, IdentityId, IdentityKey, ProviderName, ProviderProfile};
pub use kind::{ProviderKind, ResponseMode};
pub use linking::{Link, LinkRejection, LinkingFacts, LinkingPolicy};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect::{RedirectUri, RedirectUriError, RedirectUris, RedirectUrisError, append_query};
pub use trust::{EmailFacts, TrustEmail};
