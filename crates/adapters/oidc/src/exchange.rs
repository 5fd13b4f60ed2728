//! Exchange of an authorization code for tokens (RFC 6749 §4.1.3).

use crate::client::{call, object, optional_text, rejected, text, unavailable};
use crate::config::{ConfigError, Credential, ProviderConfig};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_json::Object;
use portcullis_ports::{CodeCallback, OutboundHttp, OutboundRequest, OutboundResponse, ProviderError};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::byte_serialize;

/// Lifetime of Apple's client secret, in seconds.
const CLIENT_SECRET_LIFETIME: i64 = 300;

/// Client towards the token endpoint.
pub(crate) struct Client {
    id: String,
    credential: ClientCredential,
}

enum ClientCredential {
    Secret(SecretString),
    Apple { team_id: String, header: Box<Header>, key: EncodingKey },
}

/// Place of the client secret in a request (RFC 6749 §2.3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// `Authorization` header field.
    Basic,
    /// Form.
    Form,
}

impl Client {
    /// Creates a client.
    pub(crate) fn new(config: &ProviderConfig) -> Result<Self, ConfigError> {
        let credential = match &config.credential {
            Credential::Secret(secret) => ClientCredential::Secret(secret.clone()),
            Credential::Apple { team_id, key_id, private_key } => {
                let key = EncodingKey::from_ec_pem(private_key.expose_secret().as_bytes());
                let key = key.map_err(|_| ConfigError::PrivateKey)?;
                let header = Box::new(Header { kid: Some(key_id.clone()), ..Header::new(Algorithm::ES256) });
                ClientCredential::Apple { team_id: team_id.clone(), header, key }
            }
        };
        let client = Self { id: config.client_id.clone(), credential };
        // A key on another curve would fail only at the first sign-in.
        client.secret("", DateTime::UNIX_EPOCH).map_err(|_| ConfigError::PrivateKey)?;
        Ok(client)
    }

    /// Creates the request that exchanges the code of a callback.
    pub(crate) fn request(
        &self,
        (endpoint, issuer): (&str, &str),
        place: SecretPlace,
        callback: &CodeCallback,
        now: DateTime<Utc>,
    ) -> Result<OutboundRequest, ProviderError> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", callback.code.clone()),
            ("redirect_uri", callback.redirect_uri.clone()),
            ("code_verifier", callback.code_verifier.clone()),
        ];
        let secret = self.secret(issuer, now)?;
        let is_basic = place == SecretPlace::Basic && matches!(self.credential, ClientCredential::Secret(_));
        if is_basic {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&self.id), encoded(secret.expose_secret()));
            let basic = format!("Basic {}", STANDARD.encode(pair));
            return Ok(OutboundRequest::post(endpoint, form).header("Authorization", basic));
        }
        form.push(("client_id", self.id.clone()));
        form.push(("client_secret", secret.expose_secret().to_owned()));
        Ok(OutboundRequest::post(endpoint, form))
    }

    /// Returns the client secret. Apple's is a JWT (RFC 7523 §2.2).
    fn secret(&self, issuer: &str, now: DateTime<Utc>) -> Result<SecretString, ProviderError> {
        let (team_id, header, key) = match &self.credential {
            ClientCredential::Secret(secret) => return Ok(secret.clone()),
            ClientCredential::Apple { team_id, header, key } => (team_id, header, key),
        };
        let now = now.timestamp();
        let claims = serde_json::json!({
            "iss": team_id,
            "sub": self.id,
            "aud": issuer,
            "iat": now,
            "exp": now.saturating_add(CLIENT_SECRET_LIFETIME),
        });
        let secret = jsonwebtoken::encode(header, &claims, key);
        secret.map(Into::into).map_err(|_| unavailable("token_endpoint", &"the client secret could not be signed"))
    }
}

/// Tokens of a successful exchange.
pub(crate) struct Tokens {
    pub(crate) access_token: Option<SecretString>,
    pub(crate) id_token: Option<SecretString>,
}

impl Tokens {
    /// Exchanges a code.
    pub(crate) fn exchange(http: &dyn OutboundHttp, request: OutboundRequest) -> Result<Self, ProviderError> {
        let response = call(http, "token_endpoint", request)?;
        let body = match response.status {
            200 => object("token_endpoint", &response.body)?,
            _ => return Err(refusal(&response)),
        };
        // GitHub reports errors with status 200.
        if body.has("error") {
            return Err(refusal(&response));
        }
        let secret = |name| Ok::<_, ProviderError>(optional_text(&body, name)?.map(SecretString::from));
        let tokens = Self { access_token: secret("access_token")?, id_token: secret("id_token")? };
        // An access token of an unknown type must not be used (RFC 6749 §7.1).
        if tokens.access_token.is_some() && !text(&body, "token_type")?.eq_ignore_ascii_case("bearer") {
            return Err(rejected("token_type"));
        }
        Ok(tokens)
    }
}

/// Returns the error for an error response (RFC 6749 §5.2). Only a wrong code is the fault of the sign-in.
fn refusal(response: &OutboundResponse) -> ProviderError {
    let body = Object::parse(&response.body);
    let error = body.as_ref().and_then(|body| body.text("error")).unwrap_or_default();
    if response.status < 500 && matches!(error, "invalid_grant" | "bad_verification_code") {
        return rejected("the code is invalid or used");
    }
    let is_word = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let word = if is_word { error } else { "" };
    unavailable("token_endpoint", &format_args!("status {} {word}", response.status))
}
