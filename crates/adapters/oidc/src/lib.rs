//! Sign-in with identity providers: OpenID Connect Core 1.0 with Discovery and PKCE (RFC 7636), and the
//! OAuth 2.0 of GitHub.
//!
//! Requests go through the port `OutboundHttp`. A provider that sends no response, an error or something
//! that is not JSON is `Unavailable`; a response or token that breaks a rule is `Rejected`, with one word
//! for the log.

mod cache;
mod claims;
mod client;
mod config;
mod discovery;
mod exchange;
mod github;
mod id_token;
mod jwks;
mod openid;
mod provider;

pub use cache::KeyCaches;
pub use config::{ConfigError, Credential, ProviderConfig};
pub use provider::{OidcProvider, ProviderStatus};
