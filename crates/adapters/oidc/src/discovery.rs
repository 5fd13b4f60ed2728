//! Metadata of a provider (OpenID Connect Discovery 1.0 §3, RFC 8414).

use crate::client::{is_true, object, optional_text, rejected, text};
use crate::config::{ProviderConfig, endpoint};
use portcullis_domain::providers::ProviderKind;
use portcullis_json::Object;
use portcullis_ports::ProviderError;
use url::Url;

/// Placeholder of the tenant in Microsoft's issuer.
const TENANT: &str = "{tenantid}";
/// Words for several tenants in the path of Microsoft's issuer.
const SHARED_TENANTS: [&str; 2] = ["/common/", "/organizations/"];

/// Metadata of a provider.
pub(crate) struct Metadata {
    /// Issuer. Microsoft: may have the placeholder of a tenant.
    issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    pub(crate) userinfo_endpoint: Option<String>,
    /// Whether the token endpoint accepts the client secret in the form only.
    pub(crate) posts_secret: bool,
    /// Whether every authorization response has `iss` (RFC 9207).
    announces_issuer: bool,
}

/// Returns the URL of an issuer's metadata (§4.1).
pub(crate) fn url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Metadata {
    /// Parses the metadata of the configured issuer.
    pub(crate) fn parse(body: &[u8], config: &ProviderConfig) -> Result<Self, ProviderError> {
        let metadata = object("discovery", body)?;
        let issuer = text(&metadata, "issuer")?;
        if issuer != config.issuer && !is_template(issuer, config) {
            return Err(rejected("discovery names another issuer"));
        }
        let optional = |name| optional_text(&metadata, name)?.map(|url| usable(url, name)).transpose();
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: required(&metadata, "authorization_endpoint")?,
            token_endpoint: required(&metadata, "token_endpoint")?.into(),
            jwks_uri: required(&metadata, "jwks_uri")?.into(),
            userinfo_endpoint: optional("userinfo_endpoint")?.map(Into::into),
            posts_secret: posts_secret(&metadata)?,
            announces_issuer: is_true(&metadata, "authorization_response_iss_parameter_supported"),
        })
    }

    /// Returns the issuer that signs for a tenant. Without a placeholder it is the same for all.
    pub(crate) fn issuer_for(&self, tenant: Option<&str>) -> String {
        fill(&self.issuer, tenant)
    }

    /// Checks `iss` of an authorization response against mix-up (RFC 9207 §2.4).
    pub(crate) fn check_response_issuer(&self, issuer: Option<&str>) -> Result<(), ProviderError> {
        let matches = match (issuer, self.issuer.split_once(TENANT)) {
            (None, _) => !self.announces_issuer,
            (Some(issuer), None) => issuer == self.issuer,
            // The tenant is known only from the ID token, which has the same issuer or is refused.
            (Some(issuer), Some((before, after))) => {
                let tenant = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                tenant.is_some_and(|tenant| !tenant.contains('/'))
            }
        };
        if matches { Ok(()) } else { Err(rejected("iss of the authorization response")) }
    }
}

/// Fills in the placeholder of an issuer.
pub(crate) fn fill(issuer: &str, tenant: Option<&str>) -> String {
    tenant.map_or_else(|| issuer.to_owned(), |tenant| issuer.replace(TENANT, tenant))
}

/// Returns whether an issuer is Microsoft's template for the configured one.
fn is_template(issuer: &str, config: &ProviderConfig) -> bool {
    let of = |word: &&str| config.issuer.replacen(word, &format!("/{TENANT}/"), 1) == issuer;
    config.kind == ProviderKind::Microsoft && SHARED_TENANTS.iter().any(of)
}

/// Returns whether the token endpoint lists `client_secret_post` and not the default, `client_secret_basic`.
fn posts_secret(metadata: &Object<'_>) -> Result<bool, ProviderError> {
    const METHODS: &str = "token_endpoint_auth_methods_supported";
    if !metadata.has(METHODS) {
        return Ok(false);
    }
    let methods = metadata.texts(METHODS).ok_or_else(|| rejected(METHODS))?;
    Ok(methods.contains(&"client_secret_post") && !methods.contains(&"client_secret_basic"))
}

fn required(metadata: &Object<'_>, name: &str) -> Result<Url, ProviderError> {
    usable(text(metadata, name)?, name)
}

fn usable(url: &str, name: &str) -> Result<Url, ProviderError> {
    endpoint(url).ok_or_else(|| ProviderError::Rejected(format!("{name} is not an https URL")))
}
