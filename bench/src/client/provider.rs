//! Identity provider of the bench, and sign-ins with it. It runs on threads of the bench, whose CPU time is not
//! counted.

use super::flows::{Flow, wanted};
use super::http::{get_with, member, post};
use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Name of the provider in settings and paths.
const NAME: &str = "stub";
const CLIENT_ID: &str = "portcullis";
/// Page of the app.
const BACK: &str = "https://app.example.org/back";
const PUBLIC_URL: &str = "http://localhost";
const FLOW_COOKIE: &str = "portcullis_flow=";
/// Example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// OpenID provider that signs ID tokens with ES256.
pub(crate) struct Provider(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    key: EcdsaKeyPair,
    /// Whether the token endpoint never responds.
    hangs: bool,
    /// Requests to the token endpoint so far.
    redeemed: AtomicUsize,
}

impl Provider {
    /// Starts a provider, whose token endpoint never responds if it `hangs`.
    pub(crate) fn start(hangs: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|error| anyhow!("{error}"))?;
        let shared = Shared { address: listener.local_addr()?, key, hangs, redeemed: AtomicUsize::new(0) };
        let provider = Self(Arc::new(shared));
        let shared = Arc::clone(&provider.0);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // The service closes connections as it likes.
                thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
        Ok(provider)
    }

    /// Returns the settings of a service that trusts this provider.
    pub(crate) fn settings(&self) -> [(&'static str, String); 7] {
        [
            ("PROVIDERS", NAME.to_owned()),
            ("PROVIDER_STUB_ISSUER", self.0.issuer()),
            ("PROVIDER_STUB_CLIENT_ID", CLIENT_ID.to_owned()),
            ("PROVIDER_STUB_CLIENT_SECRET", "secret".to_owned()),
            ("PROVIDER_STUB_TRUST_EMAIL", "verified".to_owned()),
            ("REDIRECT_URIS", BACK.to_owned()),
            ("PUBLIC_URL", PUBLIC_URL.to_owned()),
        ]
    }

    /// Returns the number of requests to the token endpoint since the last call.
    pub(crate) fn take_redeemed(&self) -> usize {
        self.0.redeemed.swap(0, Ordering::Relaxed)
    }
}

impl Shared {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Responds to the requests of a connection until it is closed.
    fn serve(&self, mut stream: &TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        loop {
            let (mut target, mut length) = (String::new(), 0);
            ensure!(reader.read_line(&mut target)? > 0, "the service closed the connection");
            let mut line = String::new();
            while reader.read_line(&mut line)? > 2 {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse()?;
                }
                line.clear();
            }
            let mut form = vec![0; length];
            reader.read_exact(&mut form)?;
            let path = target.split(' ').nth(1).context("not an HTTP request")?;
            if path == "/token" {
                self.redeemed.fetch_add(1, Ordering::Relaxed);
                if self.hangs {
                    // Returns when the service gives up.
                    reader.read_line(&mut line)?;
                    return Ok(());
                }
            }
            let body = self.respond(path, &String::from_utf8(form)?)?.to_string();
            let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes())?;
        }
    }

    fn respond(&self, path: &str, form: &str) -> Result<Value> {
        let of = |path: &str| format!("{}/{path}", self.issuer());
        match path {
            "/.well-known/openid-configuration" => Ok(json!({
                "issuer": self.issuer(),
                "authorization_endpoint": of("authorize"),
                "token_endpoint": of("token"),
                "jwks_uri": of("keys"),
            })),
            "/keys" => {
                let point = self.key.public_key().as_ref().get(1..).and_then(|point| point.split_at_checked(32));
                let (x, y) = point.context("not a point")?;
                let [x, y] = [x, y].map(|part| BASE64URL_NOPAD.encode(part));
                Ok(json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "first", "x": x, "y": y}]}))
            }
            "/token" => {
                let id_token = self.id_token(parameter(form, "code").context("no code")?)?;
                Ok(json!({"access_token": "any", "token_type": "Bearer", "id_token": id_token}))
            }
            _ => Err(anyhow!("unexpected path {path}")),
        }
    }

    /// Creates the ID token of a code, which is the subject and the nonce.
    fn id_token(&self, code: &str) -> Result<String> {
        let (subject, nonce) = code.split_once('.').context("not a code")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": self.issuer(), "aud": CLIENT_ID, "iat": now, "exp": now + 600, "sub": subject, "nonce": nonce,
            "email": format!("{subject}@example.com"), "email_verified": true,
        });
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": "first"})), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|error| anyhow!("{error}"))?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref())))
    }
}

/// Sign-ins of one person: start, callback and the exchange of the code, without the pages of the provider.
pub(crate) struct ProviderLogin {
    subject: String,
    step: Step,
    /// Cookie of the browser.
    cookie: String,
    /// Where the last response leads.
    location: String,
}

enum Step {
    Start,
    /// Query of the provider's response.
    Callback(String),
    /// Code of the service.
    Exchange(String),
}

impl ProviderLogin {
    pub(crate) fn new(number: usize) -> Self {
        let (cookie, location) = (String::new(), String::new());
        Self { subject: format!("person{number}"), step: Step::Start, cookie, location }
    }
}

impl Flow for ProviderLogin {
    fn request(&mut self, out: &mut Vec<u8>) {
        let cookie = Some(("Cookie: ", &*self.cookie)).filter(|(_, cookie)| !cookie.is_empty());
        let path = format!("/auth/providers/{NAME}");
        match &self.step {
            Step::Start => {
                let query = format!("redirect_uri={BACK}&code_challenge={CHALLENGE}&code_challenge_method=S256");
                get_with(out, &format!("{path}/start?{query}"), cookie);
            }
            Step::Callback(query) => get_with(out, &format!("{path}/callback?{query}"), cookie),
            Step::Exchange(code) => {
                let body = json!({"code": code, "code_verifier": VERIFIER, "redirect_uri": BACK}).to_string();
                post(out, "/auth/code", &body);
            }
        }
    }

    fn head(&mut self, head: &[u8]) {
        let head = String::from_utf8_lossy(head);
        let fields = || head.lines().filter_map(|line| line.split_once(": "));
        let location = fields().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        self.location = location.map_or_else(String::new, |(_, url)| url.to_owned());
        let cookie = fields().find(|(_, value)| value.starts_with(FLOW_COOKIE));
        if let Some(pair) = cookie.and_then(|(_, value)| value.split(';').next()) {
            pair.clone_into(&mut self.cookie);
        }
    }

    /// A provider that is unavailable ends the sign-in, and the next one begins.
    fn answer(&mut self, status: u16, body: &[u8]) -> Result<()> {
        let find = |name| parameter(&self.location, name).with_context(|| format!("no {name} in {}", self.location));
        self.step = match &self.step {
            Step::Start => {
                wanted(303, status, body)?;
                let (state, nonce) = (find("state")?, find("nonce")?);
                Step::Callback(format!("state={state}&code={}.{nonce}", self.subject))
            }
            Step::Callback(_) => {
                wanted(303, status, body)?;
                match parameter(&self.location, "error") {
                    Some("provider_unavailable") => Step::Start,
                    _ => Step::Exchange(find("code")?.to_owned()),
                }
            }
            Step::Exchange(_) => {
                wanted(200, status, body)?;
                member(body, "refresh_token")?;
                Step::Start
            }
        };
        Ok(())
    }
}

/// Returns a parameter of a URL or a form. Its value needs no decoding.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(login: &mut ProviderLogin) -> String {
        let mut out = Vec::new();
        login.request(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn redirected(login: &mut ProviderLogin, url: &str) -> Result<()> {
        login.head(
            format!("HTTP/1.1 303 See Other\r\nlocation: {url}\r\nset-cookie: portcullis_flow=c; Path=/").as_bytes(),
        );
        login.answer(303, b"")
    }

    #[test]
    fn a_sign_in_is_a_start_a_callback_and_an_exchange() {
        let mut login = ProviderLogin::new(7);
        for _ in 0..2 {
            assert!(sent(&mut login).starts_with("GET /auth/providers/stub/start?redirect_uri="));
            redirected(&mut login, "http://127.0.0.1:1/authorize?nonce=n&state=s").unwrap();
            let callback = sent(&mut login);
            assert!(callback.starts_with("GET /auth/providers/stub/callback?state=s&code=person7.n "), "{callback}");
            assert!(callback.contains("\r\nCookie: portcullis_flow=c\r\n"), "{callback}");
            redirected(&mut login, &format!("{BACK}?code=x&iss=y")).unwrap();
            assert!(sent(&mut login).contains(r#""code":"x""#));
            login.answer(200, br#"{"refresh_token":"r"}"#).unwrap();
        }
    }

    #[test]
    fn an_outage_ends_a_sign_in_and_another_error_fails_it() {
        let mut login = ProviderLogin::new(7);
        for (word, is_outage) in [("provider_unavailable", true), ("server_error", false)] {
            redirected(&mut login, "http://127.0.0.1:1/authorize?nonce=n&state=s").unwrap();
            assert_eq!(redirected(&mut login, &format!("{BACK}?error={word}")).is_ok(), is_outage, "{word}");
        }
    }
}
