//! Sign-in with providers, on both databases. The name of a test begins with the number of the sentence it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C3.1 | `GET /auth/providers`; empty by default |
//! | C3.2 | `start` sends the browser to the provider; PKCE on both sides |
//! | C3.3 | a bad `redirect_uri` is a 422 page and never a redirect; so is a start without PKCE |
//! | C3.4 | an unknown provider is 404; one that is down is `provider_unavailable`, or a 503 page |
//! | C3.5 | `callback` returns `code`, `state` and `iss`, or an `error`, to exactly the `redirect_uri` |
//! | C3.6 | a posted callback is a 303 to the same path as `GET` |
//! | C3.7 | an unknown state, or another browser, is a 410 page |
//! | C3.8 | `POST /auth/code`: the login response; `amr` and `auth_time`; cookies |
//! | C3.9 | a code lives 60 s, works once, is stored as its digest; a second use ends its session |
//! | C3.10 | a wrong verifier spends the code; so does another `redirect_uri` |
//! | C3.11 | row 1: a known identity is its account, whatever the email |
//! | C3.12 | row 2: the account that began the link; `identity_taken` |
//! | C3.13 | row 3: no email is `email_missing` |
//! | C3.14 | row 4: a new account without a password; verified if the email is trusted, else by mail |
//! | C3.15 | row 5: linked to the verified account, and its owner is notified; `LINK_BY_EMAIL` |
//! | C3.16 | row 6: an unverified account is reclaimed |
//! | C3.17 | row 7: `account_exists`; several accounts, a reserved email |
//! | C3.18 | `SIGN_UP`, `ALLOWED_DOMAINS` |
//! | C3.19 | a disabled account is `account_disabled`, and nothing changes |
//! | C3.20 | a flow lives 10 min, once, in one browser, whose tabs do not disturb each other |
//! | C3.21 | `iss` of a response must be the issuer if discovery announces it |
//! | C3.22 | words: a response that lies is `server_error`, an outage `provider_unavailable` |
//! | C3.23 | `userinfo` only without an email, and only of the same subject |
//! | C3.24 | GitHub: the primary verified email |
//! | C3.25 | `POST …/id-token`: audiences, age, nonce, once; its refusals |
//! | C3.26 | `GET /auth/identities`, `DELETE /auth/identities/{id}`, `last_sign_in_method` |
//! | C3.27 | `link`: a one-time URL, a page with a button, in a browser of the session that began it |
//! | C3.28 | one gate: second factor, enrolment, unverified, `SECOND_FACTOR=provider` |
//! | C3.29 | an account without a password: login, reset |
//! | C3.30 | calls: 5 s, 256 KiB, one circuit per destination; other calls go on |
//! | C3.31 | `RATE_LIMIT_SOURCE` counts every call without a bearer token |
//! | C3.32 | emails `identity_linked` and `identity_unlinked` |
//! | C3.33 | no code, token, verifier or state is logged or stored |
//! | C3.34 | verification and reset end identities, as C0 says |

mod clock;
mod codes;
mod endings;
mod factors;
mod flows;
mod identities;
mod limits;
mod linking;
mod links;
mod native;
mod outages;
mod pages;
mod server;
mod sign_in;
mod starts;

use crate::prelude::*;
pub(crate) use pages::{code_at, hosted_query};
pub(crate) use server::Person;
use server::{Fault, Fields, Lie, Server, challenge, fields};
use std::ops::Deref;
use std::sync::OnceLock;

pub(crate) const CLIENT_ID: &str = "portcullis";
pub(crate) const CLIENT_SECRET: &str = "only-the-provider-knows-it";
pub(crate) const PUBLIC_URL: &str = "http://localhost:8000";
const BACK: &str = "https://app.example.org/back?tab=1";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const TRUSTED: (&str, &str) = ("TRUST_EMAIL", "verified");

/// Providers of the shared service, with their settings. `plain` is not trusted.
const PROVIDERS: [(&str, &[(&str, &str)]); 10] = [
    ("corp", &[TRUSTED, ("LABEL", "Corp & Co")]),
    ("plain", &[]),
    ("closed", &[TRUSTED, ("SIGN_UP", "false")]),
    ("strict", &[TRUSTED, ("LINK_BY_EMAIL", "false")]),
    ("domains", &[("KIND", "google"), ("ALLOWED_DOMAINS", "corp.example")]),
    ("factor", &[TRUSTED, ("SECOND_FACTOR", "provider")]),
    ("loose", &[TRUSTED, ("NONCE", "optional"), ("AUDIENCES", "app,watch")]),
    ("mix", &[TRUSTED]),
    ("post", &[TRUSTED, ("RESPONSE_MODE", "form_post")]),
    ("github", &[]),
];

/// Adds all providers of a server.
fn with_providers(setup: ServiceBuilder, server: &Server) -> ServiceBuilder {
    let names = PROVIDERS.map(|(name, _)| name).join(",");
    let uris = format!("{BACK},http://127.0.0.1/back,com.example.app:/back");
    let setup = setup.set("PROVIDERS", &names).set("REDIRECT_URIS", &uris).set("PUBLIC_URL", PUBLIC_URL);
    PROVIDERS.iter().fold(setup, |setup, (name, settings)| {
        let variable = |suffix: &str| format!("PROVIDER_{}_{suffix}", name.to_uppercase());
        let setup = setup.set(&variable("ISSUER"), &server.issuer(name)).set(&variable("CLIENT_ID"), CLIENT_ID);
        let setup = setup.set(&variable("CLIENT_SECRET"), CLIENT_SECRET);
        settings.iter().fold(setup, |setup, (suffix, value)| setup.set(&variable(suffix), value))
    })
}

/// Service with providers.
pub(crate) struct Home {
    service: Service,
    server: &'static Server,
}

impl Fixture for &'static Home {
    fn on(backend: Backend) -> Self {
        static SHARED: [OnceLock<Home>; 2] = [OnceLock::new(), OnceLock::new()];
        SHARED[usize::from(backend == Backend::Postgres)].get_or_init(|| Home::start(backend, |setup| setup))
    }
}

impl Deref for Home {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

/// Sign-in under way in a tab of a browser.
pub(crate) struct Tab<'a> {
    service: &'a Service,
    name: String,
    /// URL at the provider.
    url: String,
    /// Cookie of the browser.
    cookie: String,
}

impl Tab<'_> {
    /// Returns from the provider, with this query.
    fn back(&self, query: &str) -> Reply {
        self.back_from(&self.cookie, query)
    }

    /// Returns from the provider in a browser with that cookie.
    fn back_from(&self, cookie: &str, query: &str) -> Reply {
        let path = format!("/auth/providers/{}/callback?{query}", self.name);
        self.service.call("GET", &path).header("Cookie", cookie).send()
    }

    /// Returns the `state` towards the provider.
    fn state(&self) -> String {
        fields(self.url.split_once('?').unwrap().1)["state"].clone()
    }
}

impl Reply {
    /// Checks that the browser is sent back to the client, and returns what the URL adds.
    #[track_caller]
    fn returned(&self) -> Fields {
        let location = self.location();
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{location}");
        fields(location.strip_prefix(&format!("{BACK}&")).unwrap_or_else(|| panic!("{location}")))
    }

    /// Checks that the browser is sent back with this error and nothing else.
    #[track_caller]
    fn returned_error(&self, word: &str) {
        let expected: Fields =
            [("error", word), ("state", "s 1")].map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(self.returned(), expected);
    }
}

impl Home {
    /// Starts a service with all providers.
    pub(crate) fn over(setup: ServiceBuilder) -> Self {
        Self::with(setup, |setup| setup)
    }

    fn start(backend: Backend, setup: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Self {
        Self::with(backend.service(), setup)
    }

    /// Changes the settings after those of the providers.
    fn with(service: ServiceBuilder, setup: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(Server::start);
        Self { service: setup(with_providers(service, server)).start(), server }
    }

    /// Starts it with a server that other tests do not use.
    fn alone(backend: Backend, setup: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Self {
        let server = Box::leak(Box::new(Server::start()));
        Self { service: setup(with_providers(backend.service(), server)).start(), server }
    }

    /// Calls `start` with these parameters.
    fn begin_with(&self, name: &str, cookie: &str, parameters: &[(&str, &str)]) -> Reply {
        let query = crate::harness::steps::form(parameters);
        let call = self.call("GET", &format!("/auth/providers/{name}/start?{query}"));
        if cookie.is_empty() { call.send() } else { call.header("Cookie", cookie).send() }
    }

    /// Begins a sign-in in a browser with this cookie, or in a new one.
    #[track_caller]
    fn tab(&self, name: &str, cookie: &str) -> Tab<'_> {
        let reply = self.begin_with(name, cookie, &parameters(&challenge(VERIFIER)));
        let url = reply.location();
        Tab { service: &self.service, name: name.to_owned(), url, cookie: reply.cookie() }
    }

    /// Signs a person in at a provider, up to the return to the client.
    #[track_caller]
    fn visit(&self, name: &str, person: &Person) -> Reply {
        let tab = self.tab(name, "");
        tab.back(&self.server.approve(&tab.url, person))
    }

    /// Signs a person in at a provider and returns the code.
    #[track_caller]
    pub(crate) fn code(&self, name: &str, person: &Person) -> String {
        self.visit(name, person).returned().remove("code").expect("a code")
    }

    pub(crate) fn exchange(&self, code: &str) -> Reply {
        self.post("/auth/code", &exchange(code))
    }

    /// Exchanges a code in a browser with that device cookie.
    pub(crate) fn exchange_from(&self, cookie: &str, code: &str) -> Reply {
        self.call("POST", "/auth/code").header("Cookie", cookie).json(&exchange(code)).send()
    }

    /// Signs a person in with an ID token, from a device with that cookie.
    pub(crate) fn native_from(&self, cookie: &str, name: &str, person: &Person) -> Reply {
        let body = json!({"id_token": self.server.id_token(name, &person.with("nonce", "n-1")), "nonce": "n-1"});
        let path = format!("/auth/providers/{name}/id-token");
        self.call("POST", &path).header("Cookie", cookie).json(&body).send()
    }

    /// Signs a person in and returns the session.
    #[track_caller]
    fn signed_in(&self, name: &str, person: &Person) -> Pair {
        Pair::of(&self.exchange(&self.code(name, person)))
    }

    /// Returns the account of a session that began with a provider. It may have no password.
    #[track_caller]
    fn account_of(&self, pair: &Pair) -> Account {
        let me = self.me(&pair.access).expect(200);
        let email = me["email"].as_str().unwrap().to_owned();
        Account { id: me["id"].as_i64().unwrap(), email, password: String::new() }
    }

    /// Creates an account with a verified address and a password.
    #[track_caller]
    fn verified(&self) -> Account {
        let account = self.account();
        self.set_user(&account, "email_verified_at = '2026-01-01 00:00:00'");
        account
    }

    #[track_caller]
    fn identities(&self, pair: &Pair) -> Vec<Value> {
        self.ask("GET", "/auth/identities", &pair.access).expect(200)["identities"].as_array().unwrap().clone()
    }

    /// Counts the linked identities of a subject.
    fn links_of(&self, person: &Person) -> i64 {
        self.database.count(&format!("FROM identities WHERE subject = '{}'", person.claims["sub"].as_str().unwrap()))
    }
}

/// Returns the parameters of a start.
fn parameters(challenge: &str) -> [(&str, &str); 4] {
    [("redirect_uri", BACK), ("state", "s 1"), ("code_challenge", challenge), ("code_challenge_method", "S256")]
}

/// Returns the body of an exchange.
fn exchange(code: &str) -> Value {
    json!({"code": code, "code_verifier": VERIFIER, "redirect_uri": BACK})
}
