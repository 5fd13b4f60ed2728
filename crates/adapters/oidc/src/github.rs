//! Sign-in with GitHub: OAuth 2.0 and its API, without ID tokens.

use crate::client::{call, fetch, integer, is_true, object, optional_text, rejected, unavailable};
use crate::config::{ConfigError, ProviderConfig};
use crate::exchange::{Client, SecretPlace, Tokens};
use crate::provider::{ProviderStatus, authorization_url, clock_skew};
use chrono::{DateTime, Utc};
use portcullis_domain::providers::{EmailFacts, IdentityKey, ProviderProfile};
use portcullis_json::Json;
use portcullis_ports::{
    AuthorizationRequest, CodeCallback, OutboundHttp, OutboundRequest, OutboundResponse, ProviderError,
};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use url::Url;

/// GitHub, or a GitHub Enterprise Server.
pub(crate) struct GitHub {
    config: ProviderConfig,
    client: Client,
    http: Arc<dyn OutboundHttp>,
    web: Url,
    api: String,
}

impl GitHub {
    pub(crate) fn new(config: ProviderConfig, http: Arc<dyn OutboundHttp>, mut web: Url) -> Result<Self, ConfigError> {
        let base = config.issuer.trim_end_matches('/');
        let api = match base {
            "https://github.com" => "https://api.github.com".to_owned(),
            _ => format!("{base}/api/v3"),
        };
        web.set_path(&format!("{}/login/oauth/", web.path().trim_end_matches('/')));
        Ok(Self { client: Client::new(&config)?, config, http, web, api })
    }

    pub(crate) fn authorization_url(&self, request: &AuthorizationRequest) -> Result<String, ProviderError> {
        let login: Vec<_> = request.login_hint.as_deref().map(|hint| ("login", hint)).into_iter().collect();
        Ok(authorization_url(self.endpoint("authorize")?, &self.config, request, &login))
    }

    pub(crate) fn redeem(&self, callback: &CodeCallback, now: DateTime<Utc>) -> Result<ProviderProfile, ProviderError> {
        let base = self.config.issuer.trim_end_matches('/');
        let known = |issuer: &str| issuer == self.config.issuer || issuer == format!("{base}/login/oauth");
        if !callback.issuer.as_deref().is_none_or(known) {
            return Err(rejected("iss of the authorization response"));
        }
        let endpoint = self.endpoint("access_token")?;
        let request = self.client.request((endpoint.as_str(), ""), SecretPlace::Form, callback, now)?;
        let tokens = Tokens::exchange(&*self.http, request)?;
        let token = tokens.access_token.ok_or_else(|| rejected("access_token is missing"))?;
        let user = self.get("user", &token)?;
        let id = integer(&object("user", &user.body)?, "id")?;
        let key = IdentityKey::new(self.config.issuer.clone(), id.to_string()).ok_or_else(|| rejected("id"))?;
        let email = primary_email(&self.get("user/emails?per_page=100", &token)?.body)?;
        Ok(ProviderProfile::from_facts(key, (self.config.kind, self.config.trust_email), &email, false))
    }

    /// Checks that the API responds. GitHub Enterprise may respond with 401.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<ProviderStatus, ProviderError> {
        let response = call(&*self.http, "api", OutboundRequest::get(&format!("{}/rate_limit", self.api)))?;
        if response.status >= 500 {
            return Err(unavailable("api", &format_args!("status {}", response.status)));
        }
        Ok(ProviderStatus { keys: None, clock_skew: clock_skew(&response, now) })
    }

    fn endpoint(&self, name: &str) -> Result<Url, ProviderError> {
        self.web.join(name).map_err(|error| unavailable(name, &error))
    }

    fn get(&self, path: &str, token: &SecretString) -> Result<OutboundResponse, ProviderError> {
        let request = OutboundRequest::get(&format!("{}/{path}", self.api));
        fetch(&*self.http, path, request.header("Authorization", format!("Bearer {}", token.expose_secret())))
    }
}

/// Returns the primary address of `/user/emails`.
fn primary_email(body: &[u8]) -> Result<EmailFacts, ProviderError> {
    let Some(Json::Array(emails)) = Json::parse(body) else {
        return Err(unavailable("user/emails", &"not a JSON array"));
    };
    let objects = emails.iter().filter_map(|email| if let Json::Object(email) = email { Some(email) } else { None });
    let Some(primary) = objects.into_iter().find(|email| is_true(email, "primary")) else {
        return Ok(EmailFacts::default());
    };
    let email = optional_text(primary, "email")?.map(str::to_owned);
    let email_verified = is_true(primary, "verified");
    Ok(EmailFacts { email, email_verified, primary: true, ..EmailFacts::default() })
}
