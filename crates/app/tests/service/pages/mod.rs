//! The account pages, on both databases. The name of a test begins with the number of the sentence it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C5.1 | `/` links to what is enabled; `ACCOUNT_PAGES`, `SIGN_UP_PAGE` |
//! | C5.2 | `/account`: email, status, sign-in methods; 303 to the sign-in page without a session |
//! | C5.3 | a sign-in begins a session of B1, in the list and with a timeline |
//! | C5.4 | the cookie: name, attributes, lifetime |
//! | C5.5 | it is accepted under `/account` only |
//! | C5.6 | it is signed, and bound to account and session |
//! | C5.7 | every request checks the store |
//! | C5.8 | a refused sign-in: one message, the email stays, the password does not; limits |
//! | C5.9 | the second factor on the way |
//! | C5.10 | an enrolment on the way where a factor is required |
//! | C5.11 | `continue` stays on this origin |
//! | C5.12 | hosted sign-in: a code for `POST /auth/code`, with the methods and time of the pages' authentication |
//! | C5.13 | no page trusts `redirect_uri`; PKCE; the code's refusals |
//! | C5.14 | no site signs a person in to an app with a link |
//! | C5.15 | the parameters survive every detour |
//! | C5.16 | forms of other sites are refused; `GET` changes nothing |
//! | C5.17 | registration |
//! | C5.18 | recent authentication on the way |
//! | C5.19 | logout |
//! | C5.20 | six languages |
//! | C5.21 | providers lead to a session of the pages |
//! | C5.22 | `/account/password` changes the password, or sets the first one |
//! | C5.23 | `/account/security`, `/account/authenticator`: authenticator apps, by QR code or secret |
//! | C5.24 | recovery codes, displayed once |
//! | C5.25 | remembered devices |
//! | C5.26 | `/account/identities`: connect, disconnect |
//! | C5.27 | `/account/sessions`: end one, the others, all |
//! | C5.28 | `/account/email` |
//! | C5.29 | `/account/delete` |
//! | C5.30 | an action that needs recent authentication asks for it on the way and returns |
//! | C5.31 | `PAGE_STYLE`, `PAGE_LOGO` |
//! | C5.32 | the page of a reset also removes other sign-in methods |
//! | C5.33 | passkeys: sign-in, second factor, recent authentication, the list; the script |

mod brand;
mod examples;
mod factors;
mod hosted;
mod login;
mod passkeys;
mod registration;
mod sessions;
mod settings;
mod settings_factors;

use crate::prelude::*;
use std::collections::BTreeMap;

/// Origin of the pages of the shared service.
const OWN: &str = "https://auth.example.org";
/// Where apps are.
pub(crate) const BACK: &str = "https://app.example.org/in?tab=1";
/// A verifier of RFC 7636 (appendix B), and its challenge.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PAGE: &str = "__Host-portcullis_page";

/// Service with apps and trusted devices, reached over TLS.
pub(crate) fn with_apps(setup: ServiceBuilder) -> ServiceBuilder {
    let uris = format!("{BACK},com.example.app:/in,http://127.0.0.1/in");
    setup
        .set("PUBLIC_URL", OWN)
        .set("REDIRECT_URIS", &uris)
        .set("MFA_TRUST_DAYS", "30")
        .set("PASSWORD_BLOCKLIST", "true")
}

/// Service that tests of this folder share.
pub(crate) struct Site(pub(crate) &'static Service);

impl Fixture for Site {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, with_apps))
    }
}

impl std::ops::Deref for Site {
    type Target = Service;

    fn deref(&self) -> &Service {
        self.0
    }
}

/// A person's browser without scripts. It stores cookies, and sends forms from the service's own pages.
#[derive(Clone)]
pub(crate) struct Visitor<'a> {
    pub(crate) service: &'a Service,
    pub(crate) jar: BTreeMap<String, String>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(service: &'a Service) -> Self {
        Self { service, jar: BTreeMap::new() }
    }

    /// Signs an account in with its password.
    #[track_caller]
    pub(crate) fn signed_in(service: &'a Service, account: &Account) -> Self {
        let mut visitor = Self::new(service);
        assert_eq!(visitor.log_in("", account).location(), "../account");
        visitor
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let call = self.service.call(method, path);
        let cookies: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { call } else { call.header("Cookie", &cookies.join("; ")) }
    }

    /// Sends a call and stores the cookies of the response.
    pub(crate) fn send(&mut self, call: Call) -> Reply {
        let reply = call.send();
        for cookie in reply.cookies() {
            if cookie.deletes() {
                self.jar.remove(&cookie.name)
            } else {
                self.jar.insert(cookie.name, cookie.value)
            };
        }
        reply
    }

    pub(crate) fn open(&mut self, path: &str) -> Reply {
        let call = self.call("GET", path);
        self.send(call)
    }

    /// Sends a form of one of the service's pages.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let call = self.call("POST", path).header("Sec-Fetch-Site", "same-origin").fields(fields);
        self.send(call)
    }

    /// Sends the form of the sign-in page. `query` has the target.
    pub(crate) fn log_in(&mut self, query: &str, account: &Account) -> Reply {
        let fields = [("email", &*account.email), ("password", &*account.password), ("remember", "true")];
        self.submit(&format!("/account/login{query}"), &fields)
    }

    /// Goes where a response of a page under `/account` leads.
    #[track_caller]
    pub(crate) fn follow(&mut self, reply: &Reply) -> Reply {
        self.open(&resolve(&reply.location()))
    }

    /// Returns whether the pages know who it is.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.call("GET", "/account").send().status == 200
    }

    /// Moves the authentication of the session back by 601 s.
    pub(crate) fn authenticated_earlier(&self) {
        let (at, database) = (self.service.database.ago(601), &self.service.database);
        database.execute(&format!("UPDATE sessions SET authenticated_at = {at} WHERE sid = '{}'", self.sid()));
    }

    /// Returns the id of the pages' session.
    #[track_caller]
    pub(crate) fn sid(&self) -> String {
        let (_, value) = self.jar.iter().find(|(name, _)| name.ends_with("portcullis_page")).expect("a session");
        value.split('.').nth(2).unwrap().to_owned()
    }
}

/// Returns the path of a relative URL on a page below `/account/`.
#[track_caller]
pub(crate) fn resolve(location: &str) -> String {
    assert!(!location.contains("://") && !location.starts_with("//"), "{location}");
    match location.strip_prefix("../") {
        Some(rest) => format!("/{rest}"),
        None if location.starts_with('/') => location.to_owned(),
        None => format!("/account/{location}"),
    }
}

impl Reply {
    /// Returns where the response leads.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}\n{}", self.request, self.text());
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{}", self.request);
        self.header("Location").expect("Location").to_owned()
    }

    /// Checks that it is a page with this status, and returns its text without character references.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.request, self.text());
        assert!(self.header("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{}", self.text());
        assert_eq!((self.header("Cache-Control"), self.header("Location")), (Some("no-store"), None));
        let policy = self.header("Content-Security-Policy").unwrap();
        assert_eq!(self.text().contains("<script"), policy.contains("script-src 'self'"), "{policy}\n{}", self.text());
        self.text().replace("&quot;", "\"").replace("&#x2f;", "/").replace("&#x27;", "'").replace("&amp;", "&")
    }

    /// Returns the error message of a page.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        let page = self.page(status);
        let (_, rest) = page.split_once("id=\"problem\" role=\"alert\">").unwrap_or_else(|| panic!("{page}"));
        let text = rest.split("</p>").next().unwrap().split("<span>").nth(1).unwrap();
        text.split(['<', '>']).find(|text| text.ends_with(['.', '?'])).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// Returns the URL of the app that the page leads to.
    #[track_caller]
    pub(crate) fn app_url(&self) -> String {
        let page = self.page(200);
        let (_, rest) = page.split_once("content=\"0;url=").unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// Returns the query of an app's sign-in.
pub(crate) fn app_query() -> String {
    query(&[("redirect_uri", BACK), ("state", "s 1"), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")])
}

pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    format!("?{}", crate::harness::steps::form(parameters))
}

/// Checks that the browser is sent to the app with a code, and returns the code.
#[track_caller]
pub(crate) fn code_in(url: &str) -> String {
    let rest = url.strip_prefix(&format!("{BACK}&code=")).unwrap_or_else(|| panic!("{url}"));
    let (code, rest) = rest.split_at(64);
    assert_eq!(rest, format!("&state=s%201&iss={}", OWN.replace(':', "%3A").replace('/', "%2F")), "{url}");
    code.to_owned()
}

impl Service {
    pub(crate) fn exchange_code(&self, code: &str) -> Reply {
        self.exchange_with(&[("code", code)])
    }

    /// Exchanges a code with other members.
    pub(crate) fn exchange_with(&self, members: &[(&str, &str)]) -> Reply {
        let mut body = json!({"code_verifier": VERIFIER, "redirect_uri": BACK});
        members.iter().for_each(|(name, value)| body[*name] = json!(value));
        self.post("/auth/code", &body)
    }
}
