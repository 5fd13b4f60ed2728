//! Sign-in with an OpenID provider (OpenID Connect Core 1.0, authorization code flow).

use crate::cache::{Cache, KeyCaches};
use crate::claims::{ClaimRules, Claims, email_facts};
use crate::client::{fetch, object, rejected, unavailable};
use crate::config::{ConfigError, ProviderConfig};
use crate::discovery::{self, Metadata};
use crate::exchange::{Client, SecretPlace, Tokens};
use crate::id_token::UnverifiedIdToken;
use crate::jwks::{Jwks, KeyChoiceError};
use crate::provider::{ProviderStatus, authorization_url, clock_skew};
use chrono::{DateTime, Utc};
use portcullis_domain::providers::{EmailFacts, NATIVE_ID_TOKEN_MAX_AGE, ProviderProfile};
use portcullis_ports::{
    AuthorizationRequest, CodeCallback, NativeSignIn, OutboundHttp, OutboundRequest, OutboundResponse, ProviderError,
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// OpenID provider with its cached metadata and keys.
pub(crate) struct OpenId {
    config: ProviderConfig,
    client: Client,
    http: Arc<dyn OutboundHttp>,
    metadata: Cache<Metadata>,
    keys: Arc<Cache<Jwks>>,
}

impl OpenId {
    pub(crate) fn new(
        config: ProviderConfig,
        http: Arc<dyn OutboundHttp>,
        caches: &KeyCaches,
    ) -> Result<Self, ConfigError> {
        let (metadata, keys) = (Cache::new(caches.clock()), caches.of(&config.issuer));
        Ok(Self { client: Client::new(&config)?, config, http, metadata, keys })
    }

    pub(crate) fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, ProviderError> {
        let endpoint = self.metadata()?.authorization_endpoint.clone();
        let mut further = vec![("nonce", request.nonce.as_str())];
        further.extend(self.config.response_mode.as_deref().map(|mode| ("response_mode", mode)));
        further.extend(request.login_hint.as_deref().map(|hint| ("login_hint", hint)));
        Ok(authorization_url(endpoint, &self.config, request, &further))
    }

    pub(crate) fn redeem(&self, callback: &CodeCallback, now: DateTime<Utc>) -> Result<ProviderProfile, ProviderError> {
        let metadata = self.metadata()?;
        metadata.check_response_issuer(callback.issuer.as_deref())?;
        let place = if metadata.posts_secret { SecretPlace::Form } else { SecretPlace::Basic };
        let target = (metadata.token_endpoint.as_str(), self.config.issuer.as_str());
        let tokens = Tokens::exchange(&*self.http, self.client.request(target, place, callback, now)?)?;
        let access_token = tokens.access_token.as_ref().map(ExposeSecret::expose_secret);
        let id_token = tokens.id_token.as_ref().ok_or_else(|| rejected("id_token is missing"))?;
        let token = UnverifiedIdToken::parse(id_token.expose_secret())?;
        let mut claims = self.verify(&token, &metadata, false, now)?;
        if claims.nonce.as_ref() != Some(&callback.nonce) {
            return Err(rejected("nonce"));
        }
        if callback.issuer.as_ref().is_some_and(|issuer| *issuer != claims.key.issuer) {
            return Err(rejected("iss of the authorization response"));
        }
        if let Some(at_hash) = &claims.at_hash {
            token.check_at_hash(at_hash, access_token)?;
        }
        if let (None, Some(endpoint), Some(token)) = (&claims.email.email, &metadata.userinfo_endpoint, access_token) {
            self.add_userinfo(endpoint, token, &mut claims)?;
        }
        Ok(self.profile(claims))
    }

    pub(crate) fn verify_id_token(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<NativeSignIn, ProviderError> {
        let token = UnverifiedIdToken::parse(id_token)?;
        let claims = self.verify(&token, &*self.metadata()?, true, now)?;
        // Both times are whole seconds, so a token is 600 s old until the next second.
        let last = claims.issued_at.saturating_add(NATIVE_ID_TOKEN_MAX_AGE.num_seconds() + 1).min(claims.expires_at);
        if now.timestamp() >= last {
            return Err(rejected("iat is too old"));
        }
        let is_bound = match (&claims.nonce, nonce) {
            (None, _) => !self.config.nonce_required,
            (Some(_), None) => false,
            // Apple's library hashes the nonce before it sends it.
            (Some(claim), Some(nonce)) => claim == nonce || *claim == hex::encode(Sha256::digest(nonce)),
        };
        if !is_bound {
            return Err(rejected("nonce"));
        }
        let usable_until = DateTime::from_timestamp(last, 0).ok_or_else(|| rejected("exp"))?;
        Ok(NativeSignIn { profile: self.profile(claims), usable_until })
    }

    /// Fetches metadata and keys, past the cache.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<ProviderStatus, ProviderError> {
        let response = self.fetch("discovery", &discovery::url(&self.config.issuer))?;
        let metadata = Metadata::parse(&response.body, &self.config)?;
        let keys = self.fetch_keys(&metadata)?.len();
        Ok(ProviderStatus { keys: Some(keys), clock_skew: clock_skew(&response, now) })
    }

    fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        self.metadata.get(|| {
            let response = self.fetch("discovery", &discovery::url(&self.config.issuer))?;
            Metadata::parse(&response.body, &self.config)
        })
    }

    fn fetch_keys(&self, metadata: &Metadata) -> Result<Jwks, ProviderError> {
        Jwks::parse(&self.fetch("jwks_uri", &metadata.jwks_uri)?.body)
    }

    fn fetch(&self, endpoint: &str, url: &str) -> Result<OutboundResponse, ProviderError> {
        fetch(&*self.http, endpoint, OutboundRequest::get(url))
    }

    /// Verifies signature and claims of an ID token. An unknown `kid` refetches the keys.
    fn verify(
        &self,
        token: &UnverifiedIdToken<'_>,
        metadata: &Metadata,
        is_native: bool,
        now: DateTime<Utc>,
    ) -> Result<Claims, ProviderError> {
        let mut keys = self.keys.get(|| self.fetch_keys(metadata))?;
        let find = |keys: &Arc<Jwks>| keys.find(token.kid.as_deref(), token.algorithm).map(|_| ());
        if matches!(find(&keys), Err(KeyChoiceError::Unknown)) {
            keys = self.keys.refetch(|| self.fetch_keys(metadata))?;
        }
        let key = keys.find(token.kid.as_deref(), token.algorithm).map_err(|error| match error {
            KeyChoiceError::Unknown => rejected("kid is unknown"),
            KeyChoiceError::Refused(reason) => rejected(reason),
        })?;
        let payload = token.verify(key)?;
        let key_issuer = key.issuer.as_deref();
        ClaimRules { config: &self.config, metadata, key_issuer, is_native }.read(&payload, now)
    }

    /// Adds the email address of `userinfo` (§5.3). Its subject must be the same (§5.3.2).
    fn add_userinfo(&self, endpoint: &str, access_token: &str, claims: &mut Claims) -> Result<(), ProviderError> {
        let request = OutboundRequest::get(endpoint).header("Authorization", format!("Bearer {access_token}"));
        let response = fetch(&*self.http, "userinfo", request)?;
        let userinfo = object("userinfo", &response.body)?;
        let subject = userinfo.text("sub").ok_or_else(|| unavailable("userinfo", &"no sub"))?;
        if subject != claims.key.subject {
            return Err(rejected("userinfo is about another subject"));
        }
        let facts = email_facts(&userinfo, self.config.kind)?;
        let hosted_domain = claims.email.hosted_domain.take().or(facts.hosted_domain);
        claims.email = EmailFacts { hosted_domain, ..facts };
        Ok(())
    }

    fn profile(&self, claims: Claims) -> ProviderProfile {
        let rules = (self.config.kind, self.config.trust_email);
        ProviderProfile::from_facts(claims.key, rules, &claims.email, claims.multi_factor)
    }
}
