//! A provider whose responses each test scripts, and a client of it.

use crate::test_keys::{RSA, TestKey};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use portcullis_domain::providers::{ProviderKind, ProviderProfile, TrustEmail};
use portcullis_oidc::{Credential, KeyCaches, OidcProvider, ProviderConfig};
use portcullis_ports::{
    AuthorizationRequest, Clock, CodeCallback, IdentityProvider, NativeSignIn, OutboundError, OutboundHttp,
    OutboundRequest, OutboundResponse, ProviderError,
};
use portcullis_testkit::FixedClock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const ISSUER: &str = "https://op.example";
pub(crate) const CLIENT: &str = "client-1";
pub(crate) const NONCE: &str = "nonce-1";
pub(crate) const ACCESS_TOKEN: &str = "access-1";
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const DISCOVERY: &str = "https://op.example/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "https://op.example/jwks";
pub(crate) const TOKEN: &str = "https://op.example/token";
pub(crate) const USERINFO: &str = "https://op.example/userinfo";

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

type Outcome = Result<OutboundResponse, OutboundError>;
type Handler = Arc<dyn Fn(&OutboundRequest) -> Outcome + Send + Sync>;

/// HTTP client that calls a handler for each URL.
#[derive(Default)]
pub(crate) struct FakeHttp {
    handlers: Mutex<BTreeMap<String, Handler>>,
    requests: Mutex<Vec<OutboundRequest>>,
}

impl OutboundHttp for FakeHttp {
    fn call(&self, request: &OutboundRequest) -> Outcome {
        self.requests.lock().push(request.clone());
        let handler = self.handlers.lock().get(&request.url).cloned();
        let handler = handler.ok_or_else(|| OutboundError::Unavailable(format!("no handler for {}", request.url)))?;
        handler(request)
    }
}

pub(crate) fn response(status: u16, body: impl ToString) -> OutboundResponse {
    OutboundResponse { status, date: None, body: body.to_string().into_bytes() }
}

pub(crate) fn timeout() -> OutboundError {
    OutboundError::Unavailable("timeout".to_owned())
}

pub(crate) struct World {
    pub(crate) http: Arc<FakeHttp>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) caches: KeyCaches,
    pub(crate) provider: OidcProvider,
}

pub(crate) fn config() -> ProviderConfig {
    ProviderConfig {
        kind: ProviderKind::Oidc,
        issuer: ISSUER.to_owned(),
        client_id: CLIENT.to_owned(),
        credential: Credential::Secret("s3cret".into()),
        audiences: vec!["app-1".to_owned()],
        scopes: "openid email".to_owned(),
        response_mode: None,
        tenants: vec![],
        trust_email: TrustEmail::Verified,
        nonce_required: true,
    }
}

pub(crate) fn discovery() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://op.example/authorize?tenant=1",
        "token_endpoint": TOKEN,
        "jwks_uri": JWKS,
        "userinfo_endpoint": USERINFO,
    })
}

/// Claims of a valid token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "u1", "aud": CLIENT, "exp": NOW + 300, "iat": NOW, "nonce": NONCE,
        "email": "Ada@example.com", "email_verified": true,
    })
}

/// Returns `base` with some members replaced, or removed if the new value is null.
pub(crate) fn with(mut base: Value, changes: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    base
}

pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "kid": "k1", "typ": "JWT"})
}

/// Returns a token of the key `k1`.
pub(crate) fn token_with(changes: Value) -> String {
    RSA.token(&header(), &with(claims(), changes).to_string())
}

pub(crate) fn callback() -> CodeCallback {
    CodeCallback {
        code: "code-1".to_owned(),
        issuer: None,
        redirect_uri: "https://app.example/callback".to_owned(),
        nonce: NONCE.to_owned(),
        code_verifier: "verifier-1".to_owned(),
    }
}

pub(crate) fn authorization() -> AuthorizationRequest {
    AuthorizationRequest {
        redirect_uri: "https://app.example/callback?a=b".to_owned(),
        state: "state-1".to_owned(),
        nonce: NONCE.to_owned(),
        code_challenge: "challenge-1".to_owned(),
        login_hint: None,
        prompt: None,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(config())
    }

    /// Creates a client of a provider with the key `k1`, which issues a valid token.
    pub(crate) fn of(config: ProviderConfig) -> Self {
        let (http, clock) = (Arc::new(FakeHttp::default()), Arc::new(FixedClock::at(at(NOW))));
        let caches = KeyCaches::new(clock.clone());
        let provider = OidcProvider::new(config, http.clone(), &caches).unwrap();
        let world = Self { http, clock, caches, provider };
        world.serve(DISCOVERY, &discovery());
        world.serve_keys(&[("k1", &RSA)]);
        world.issue(&token_with(json!({})));
        world
    }

    pub(crate) fn handle(&self, url: &str, handler: impl Fn(&OutboundRequest) -> Outcome + Send + Sync + 'static) {
        self.http.handlers.lock().insert(url.to_owned(), Arc::new(handler));
    }

    pub(crate) fn respond(&self, url: &str, outcome: Outcome) {
        self.handle(url, move |_| outcome.clone());
    }

    pub(crate) fn serve(&self, url: &str, body: &Value) {
        self.respond(url, Ok(response(200, body)));
    }

    pub(crate) fn serve_keys(&self, keys: &[(&str, &TestKey)]) {
        let keys: Vec<_> = keys.iter().map(|(kid, key)| key.jwk(kid)).collect();
        self.serve(JWKS, &json!({ "keys": keys }));
    }

    /// Has the token endpoint return this ID token.
    pub(crate) fn issue(&self, id_token: &str) {
        let body = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token});
        self.serve(TOKEN, &body);
    }

    /// Returns the requests to a URL so far.
    pub(crate) fn requests(&self, url: &str) -> Vec<OutboundRequest> {
        self.http.requests.lock().iter().filter(|request| request.url == url).cloned().collect()
    }

    pub(crate) fn redeem(&self) -> Result<ProviderProfile, ProviderError> {
        self.provider.redeem(&callback(), self.clock.now())
    }

    pub(crate) fn redeem_token(&self, id_token: &str) -> Result<ProviderProfile, ProviderError> {
        self.issue(id_token);
        self.redeem()
    }

    pub(crate) fn native(&self, id_token: &str, nonce: Option<&str>) -> Result<NativeSignIn, ProviderError> {
        self.provider.verify_id_token(id_token, nonce, self.clock.now())
    }
}

/// Returns the reason of a refusal.
pub(crate) fn rejection<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> String {
    match result {
        Err(ProviderError::Rejected(reason)) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

/// Returns the reason of a failure.
pub(crate) fn failure<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> String {
    match result {
        Err(ProviderError::Unavailable(reason)) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}
