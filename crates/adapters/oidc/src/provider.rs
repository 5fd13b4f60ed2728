//! Providers of all kinds behind one type.

use crate::cache::KeyCaches;
use crate::client::rejected;
use crate::config::{ConfigError, ProviderConfig, endpoint};
use crate::github::GitHub;
use crate::openid::OpenId;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::providers::{ProviderKind, ProviderProfile};
use portcullis_ports::{
    AuthorizationRequest, CodeCallback, IdentityProvider, NativeSignIn, OutboundHttp, OutboundResponse, ProviderError,
};
use std::sync::Arc;
use url::Url;

/// Identity provider of any kind.
pub struct OidcProvider(Protocol);

enum Protocol {
    OpenId(Box<OpenId>),
    GitHub(Box<GitHub>),
}

/// Outcome of a check that the provider is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Number of usable keys. `None` for GitHub, which has no ID tokens.
    pub keys: Option<usize>,
    /// Provider's clock minus this one. Includes the time of the response; `None` without a `Date`.
    pub clock_skew: Option<TimeDelta>,
}

impl OidcProvider {
    /// Creates a provider from its configuration. Sends no request. Providers with the same caches share the keys of
    /// an issuer.
    ///
    /// # Errors
    /// Returns [`ConfigError`] for an issuer or a private key that cannot be used.
    pub fn new(config: ProviderConfig, http: Arc<dyn OutboundHttp>, caches: &KeyCaches) -> Result<Self, ConfigError> {
        let issuer = endpoint(&config.issuer).filter(|url| url.query().is_none()).ok_or(ConfigError::Issuer)?;
        Ok(Self(match config.kind {
            ProviderKind::GitHub => Protocol::GitHub(Box::new(GitHub::new(config, http, issuer)?)),
            _ => Protocol::OpenId(Box::new(OpenId::new(config, http, caches)?)),
        }))
    }

    /// Checks that metadata and keys can be fetched now. Changes no cache.
    ///
    /// # Errors
    /// Returns [`ProviderError`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<ProviderStatus, ProviderError> {
        match &self.0 {
            Protocol::OpenId(provider) => provider.check(now),
            Protocol::GitHub(provider) => provider.check(now),
        }
    }
}

impl IdentityProvider for OidcProvider {
    fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, ProviderError> {
        match &self.0 {
            Protocol::OpenId(provider) => provider.authorization_url(request),
            Protocol::GitHub(provider) => provider.authorization_url(request),
        }
    }

    fn redeem(&self, callback: &CodeCallback, now: DateTime<Utc>) -> Result<ProviderProfile, ProviderError> {
        match &self.0 {
            Protocol::OpenId(provider) => provider.redeem(callback, now),
            Protocol::GitHub(provider) => provider.redeem(callback, now),
        }
    }

    fn verify_id_token(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<NativeSignIn, ProviderError> {
        match &self.0 {
            Protocol::OpenId(provider) => provider.verify_id_token(id_token, nonce, now),
            Protocol::GitHub(_) => Err(rejected("GitHub has no ID tokens")),
        }
    }
}

/// Adds an authorization request to an endpoint, whose own query stays (RFC 6749 §3.1).
pub(crate) fn authorization_url(
    mut endpoint: Url,
    config: &ProviderConfig,
    request: &AuthorizationRequest,
    further: &[(&str, &str)],
) -> String {
    endpoint
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", &request.redirect_uri)
        .append_pair("scope", &config.scopes)
        .append_pair("state", &request.state)
        .append_pair("code_challenge", &request.code_challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(further)
        .extend_pairs(request.prompt.as_deref().map(|prompt| ("prompt", prompt)));
    endpoint.into()
}

/// Returns the provider's clock minus this one, by the `Date` of a response.
pub(crate) fn clock_skew(response: &OutboundResponse, now: DateTime<Utc>) -> Option<TimeDelta> {
    let date = DateTime::parse_from_rfc2822(response.date.as_deref()?).ok()?;
    Some(date.signed_duration_since(now))
}
