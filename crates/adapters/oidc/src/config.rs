//! Configuration of one provider.

use portcullis_domain::providers::{ProviderKind, TrustEmail};
use secrecy::SecretString;
use url::{Host, Url};

/// Configuration of a provider, with the defaults of its kind filled in.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Kind.
    pub kind: ProviderKind,
    /// Issuer identifier, as discovery returns it. GitHub: URL of the web pages.
    pub issuer: String,
    /// Client id.
    pub client_id: String,
    /// Proof towards the token endpoint.
    pub credential: Credential,
    /// Further client ids whose ID tokens native apps bring.
    pub audiences: Vec<String>,
    /// Scopes to request, separated by spaces.
    pub scopes: String,
    /// `response_mode` of the authorization request. `None` omits it.
    pub response_mode: Option<String>,
    /// Microsoft: accepted tenant ids, or `*` for all.
    pub tenants: Vec<String>,
    /// Whether the provider's word for an email address is taken.
    pub trust_email: TrustEmail,
    /// Whether the ID token of a native app must have a nonce.
    pub nonce_required: bool,
}

/// Proof of the client towards the token endpoint.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Client secret.
    Secret(SecretString),
    /// Key that signs a client secret for each request (RFC 7523), as Apple requires.
    Apple {
        /// Team id.
        team_id: String,
        /// Key id.
        key_id: String,
        /// P-256 key in PEM (PKCS#8).
        private_key: SecretString,
    },
}

/// Reason why a provider cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not a usable URL.
    #[error("invalid issuer: expected an https URL without query and fragment")]
    Issuer,
    /// The private key of Apple is not usable.
    #[error("invalid private key: expected a P-256 key in PEM (PKCS#8)")]
    PrivateKey,
}

/// Parses the URL of an issuer or endpoint: https, or http to a loopback host; no credentials or fragment.
pub(crate) fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (is_secure && is_plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_https_or_loopback() {
        for good in
            ["https://op.example/token?a=b", "http://127.0.0.1:80/", "http://[::1]:9/", "http://localhost:3000/x"]
        {
            assert!(endpoint(good).is_some(), "{good}");
        }
        for bad in [
            "http://op.example/",
            "http://127.0.0.1.example/",
            "https://a:b@op.example/",
            "https://op.example/#x",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
            "/token",
            "",
        ] {
            assert!(endpoint(bad).is_none(), "{bad}");
        }
    }
}
