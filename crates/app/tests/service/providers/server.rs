//! OpenID providers and a GitHub in the test process. Each first segment of a path is a separate provider, so that
//! one server has many issuers. The test is the browser and the person at the provider.

use super::{CLIENT_ID, CLIENT_SECRET};
use crate::prelude::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use url::Url;

/// Name-value pairs of a query or a form.
pub(crate) type Fields = BTreeMap<String, String>;

/// Parses a query or a form.
pub(crate) fn fields(text: &str) -> Fields {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Returns the `code_challenge` of a verifier (RFC 7636 §4.2).
pub(crate) fn challenge(verifier: &str) -> String {
    jose::base64url(Sha256::digest(verifier))
}

/// What is wrong with the signature of an ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    Truth,
    None,
    Hmac,
    OtherKey,
    UnknownKid,
}

/// Fault of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Responds after that time.
    Slow(Duration),
    /// Responds with 10 MiB.
    Huge,
    Status(u16),
    /// `userinfo` responds with 500.
    Userinfo,
}

/// Person at a provider.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Claims of the ID token. `null` omits one.
    pub(crate) claims: Value,
    /// Response of `userinfo`.
    pub(crate) userinfo: Value,
    pub(crate) lie: Lie,
}

impl Person {
    /// Creates a person that no provider knows yet, with a verified email address.
    pub(crate) fn new(email: &str) -> Self {
        let claims = json!({"sub": (10_000_000 + unique()).to_string(), "email": email, "email_verified": true});
        Self { userinfo: claims.clone(), claims, lie: Lie::Truth }
    }

    pub(crate) fn fresh() -> Self {
        Self::new(&fresh_email())
    }

    /// Sets a claim of the ID token.
    pub(crate) fn with(&self, claim: &str, value: impl Into<Value>) -> Self {
        let mut changed = self.clone();
        changed.claims[claim] = value.into();
        changed
    }

    pub(crate) fn email(&self) -> &str {
        self.claims["email"].as_str().unwrap()
    }
}

/// What a code or an access token stands for.
#[derive(Clone)]
struct Grant {
    person: Person,
    request: Fields,
}

struct State {
    address: SocketAddr,
    key: EcdsaKeyPair,
    other_key: EcdsaKeyPair,
    /// By code and by access token.
    grants: Mutex<HashMap<String, Grant>>,
    fault: Mutex<Fault>,
    /// Method and path of each request.
    requests: Mutex<Vec<String>>,
    /// Everything secret that was issued or received.
    secrets: Mutex<Vec<String>>,
}

/// Server of providers.
pub(crate) struct Server(Arc<State>);

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let key = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let state = Arc::new(State {
            address: listener.local_addr().unwrap(),
            key: key(),
            other_key: key(),
            grants: Mutex::default(),
            fault: Mutex::new(Fault::None),
            requests: Mutex::default(),
            secrets: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || state.serve(client));
            }
        });
        Self(state)
    }

    pub(crate) fn issuer(&self, name: &str) -> String {
        self.0.issuer(name)
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = fault;
    }

    /// Counts the requests so far whose method and path start with this.
    pub(crate) fn requests(&self, start: &str) -> usize {
        self.0.requests.lock().unwrap().iter().filter(|request| request.starts_with(start)).count()
    }

    /// Returns all codes, tokens, verifiers and client secrets so far.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.0.secrets.lock().unwrap().clone()
    }

    /// Signs a person in who was sent to this URL. Returns the query of the callback.
    #[track_caller]
    pub(crate) fn approve(&self, url: &str, person: &Person) -> String {
        let request = fields(Url::parse(url).unwrap().query().unwrap());
        for (name, expected) in [("response_type", "code"), ("client_id", CLIENT_ID), ("code_challenge_method", "S256")]
        {
            assert_eq!(request[name], expected, "{url}");
        }
        let (state, code) = (request["state"].clone(), random_secret());
        self.0.keep([&state, &code]);
        let grant = Grant { person: person.clone(), request };
        self.0.grants.lock().unwrap().insert(code.clone(), grant);
        let mut query = format!("state={state}&code={code}");
        if url.contains("/mix/") {
            query += &format!("&iss={}", self.issuer("mix"));
        }
        query
    }

    /// Creates an ID token as a native app gets it.
    pub(crate) fn id_token(&self, name: &str, person: &Person) -> String {
        let token = self.0.id_token(name, person, None);
        self.0.keep([&token]);
        token
    }
}

impl State {
    fn issuer(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    fn keep<'a>(&self, secrets: impl IntoIterator<Item = &'a String>) {
        self.secrets.lock().unwrap().extend(secrets.into_iter().cloned());
    }

    fn id_token(&self, name: &str, person: &Person, nonce: Option<&String>) -> String {
        let now = unix_now();
        let mut claims = json!({"iss": self.issuer(name), "aud": CLIENT_ID, "iat": now, "exp": now + 600});
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let claims = claims.as_object_mut().unwrap();
        claims.extend(person.claims.as_object().unwrap().clone());
        claims.retain(|_, value| !value.is_null());
        let (algorithm, kid) = match person.lie {
            Lie::None => ("none", "first"),
            Lie::Hmac => ("HS256", "first"),
            Lie::UnknownKid => ("ES256", "second"),
            Lie::Truth | Lie::OtherKey => ("ES256", "first"),
        };
        let input = jose::unsigned(&json!({"alg": algorithm, "kid": kid}).to_string(), &json!(claims).to_string());
        let sign = |key: &EcdsaKeyPair| {
            let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", jose::base64url(signature.as_ref()))
        };
        match person.lie {
            Lie::None => format!("{input}."),
            // A forger's secret is what everyone knows: the public key.
            Lie::Hmac => jose::signed_with(self.key.public_key().as_ref(), &input),
            Lie::OtherKey => sign(&self.other_key),
            Lie::Truth | Lie::UnknownKid => sign(&self.key),
        }
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        let (mut line, mut head) = (String::new(), BTreeMap::new());
        reader.read_line(&mut line).unwrap_or_default();
        let Some((method, target)) = line.split_once(' ') else { return };
        let target = target.split(' ').next().unwrap_or_default();
        loop {
            let mut field = String::new();
            if reader.read_line(&mut field).unwrap_or_default() <= 2 {
                break;
            }
            if let Some((name, value)) = field.split_once(':') {
                head.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let length = head.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        self.requests.lock().unwrap().push(format!("{method} {target}"));
        let fault = *self.fault.lock().unwrap();
        if let Fault::Slow(time) = fault {
            crate::harness::timing::pause(time);
        }
        let (status, body) = match fault {
            Fault::Huge => (200, " ".repeat(10 << 20)),
            Fault::Status(status) => (status, String::new()),
            Fault::Userinfo if target.ends_with("/userinfo") => (500, String::new()),
            _ => {
                let body = String::from_utf8(body).unwrap();
                let (status, body) = self.respond(target, &head, &fields(&body));
                (status, body.to_string())
            }
        };
        // The service may have hung up.
        let _ = write!(
            &stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }

    fn respond(&self, target: &str, head: &BTreeMap<String, String>, form: &Fields) -> (u16, Value) {
        let path = target.split('?').next().unwrap_or_default();
        let (name, path) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let issuer = self.issuer(name);
        let bearer = head.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let grant = bearer.and_then(|token| self.grants.lock().unwrap().get(token).cloned());
        match (path, grant) {
            (".well-known/openid-configuration", _) => {
                let of = |path: &str| format!("{issuer}/{path}");
                let document = json!({
                    "issuer": issuer,
                    "authorization_endpoint": of("authorize"),
                    "token_endpoint": of("token"),
                    "userinfo_endpoint": of("userinfo"),
                    "jwks_uri": of("keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                    "authorization_response_iss_parameter_supported": name == "mix",
                });
                (200, document)
            }
            ("keys", _) => {
                let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
                let [x, y] = [x, y].map(jose::base64url);
                (200, json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "first", "x": x, "y": y}]}))
            }
            ("token" | "login/oauth/access_token", _) => match self.redeem(name, head, form) {
                Some(tokens) => (200, tokens),
                None => (400, json!({"error": "invalid_grant"})),
            },
            ("userinfo", Some(grant)) => (200, grant.person.userinfo),
            ("api/v3/user", Some(grant)) => {
                let id: u32 = grant.person.claims["sub"].as_str().unwrap().parse().unwrap();
                (200, json!({"id": id, "login": "ada", "email": "public@example.net"}))
            }
            ("api/v3/user/emails", Some(grant)) => {
                let claims = &grant.person.claims;
                let other = json!({"email": "other@example.net", "primary": false, "verified": true});
                let own = json!({"email": claims["email"], "primary": true, "verified": claims["email_verified"]});
                (200, json!([other, own]))
            }
            _ => (404, json!({})),
        }
    }

    /// Exchanges a code as RFC 6749 §4.1.3 and RFC 7636 §4.6 demand. Returns `None` for a refusal.
    fn redeem(&self, name: &str, head: &BTreeMap<String, String>, form: &Fields) -> Option<Value> {
        let grant = self.grants.lock().unwrap().remove(form.get("code")?)?;
        let verifier = form.get("code_verifier")?;
        self.keep([verifier]);
        let is_client = form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET)
            || head.get("authorization").is_some_and(|value| value.starts_with("Basic "));
        let request = &grant.request;
        if !is_client
            || challenge(verifier) != request["code_challenge"]
            || form["redirect_uri"] != request["redirect_uri"]
        {
            return None;
        }
        let access_token = random_secret();
        let mut tokens = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 60});
        if let Some(nonce) = request.get("nonce") {
            let id_token = self.id_token(name, &grant.person, Some(nonce));
            self.keep([nonce, &id_token]);
            tokens["id_token"] = json!(id_token);
        }
        self.keep([&access_token]);
        self.grants.lock().unwrap().insert(access_token, grant);
        Some(tokens)
    }
}
