//! Cookie mode, on both databases. The name of a test begins with the number of the sentence it holds:
//!
//! | number | sentence |
//! |---|---|
//! | C4.1 | with the header, tokens are cookies, and the body has none |
//! | C4.2 | everything that begins or refreshes a session accepts the header |
//! | C4.3 | `refresh` and `logout` then need no body |
//! | C4.4 | without the header nothing changes |
//! | C4.5 | names and attributes of the cookies |
//! | C4.6 | `remember: false` omits `Max-Age`, at login and ever after |
//! | C4.7 | with an http `PUBLIC_URL`: no prefix, no `Secure` |
//! | C4.8 | `COOKIE_DOMAIN`: `__Secure-` and that `Domain` |
//! | C4.9 | a name that occurs twice counts as absent |
//! | C4.10 | names are compared byte for byte |
//! | C4.11 | bearer routes accept the access cookie if there is no `Authorization` header |
//! | C4.12 | pages of other origins are refused: `Origin`, else `Sec-Fetch-Site` |
//! | C4.13 | a write that a cookie authenticates needs the header |
//! | C4.14 | tabs and lost answers: the device's key gets the same cookies |
//! | C4.15 | a thief who has only the token is found |
//! | C4.16 | without the device cookie, refreshes work as without cookies |
//! | C4.17 | no refusal deletes a cookie |
//! | C4.18 | `logout`, `logout-all` and `DELETE /auth/me` delete both |
//! | C4.19 | an overtaken cookie gets the newest pair; nothing forks |
//! | C4.20 | the device cookie `__Host-portcullis_device` |
//! | C4.23 | another value of the header is a 422 |
//! | C4.24 | with the header, a token in the body is used, and no cookie is set |
//! | C4.25 | an `Idempotency-Key` beside the device's key is ignored |
//! | C4.26 | `logout` without a usable cookie |
//! | C4.27 | a `COOKIE_DOMAIN` that does not cover the host stops the start |
//! | C4.28 | `COOKIE_MODE=off` changes nothing |
//! | C4.29 | an optional bearer counts only with the header |
//! | C4.30 | second factors in cookie mode |
//! | C4.31 | preflights of listed origins |

mod bearers;
mod csrf;
mod endings;
mod issuing;
mod names;
mod refreshes;
mod refusals;
mod second_factors;
mod settings;
mod thieves;

use crate::prelude::*;
use std::collections::BTreeMap;

/// Header that selects cookies, and its value.
const HEADER: (&str, &str) = ("Portcullis-Tokens", "cookie");
/// Origin of the service's own pages, with TLS.
const OWN: &str = "https://auth.example.org";
/// Origin of the service's own pages, without TLS.
const LOCAL: &str = "http://127.0.0.1:8000";
/// Origin in `CORS_ORIGINS`.
const LISTED: &str = "https://app.example.org";
const FOREIGN: &str = "https://evil.example";

/// Builds a service in cookie mode whose pages have this origin.
fn cookie_mode(setup: ServiceBuilder, origin: &str) -> ServiceBuilder {
    setup.set("COOKIE_MODE", "on").set("PUBLIC_URL", origin).set("CORS_ORIGINS", LISTED)
}

/// Service whose `PUBLIC_URL` is https, which tests share.
struct Tls(&'static Service);

impl Fixture for Tls {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| cookie_mode(setup, OWN)))
    }
}

/// Service whose `PUBLIC_URL` is http, which tests share.
struct Plain(&'static Service);

impl Fixture for Plain {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| cookie_mode(setup, LOCAL)))
    }
}

impl Tls {
    /// Logs a fresh account in with a browser.
    #[track_caller]
    fn session(&self) -> (Account, Browser<'static>) {
        Browser::with_session(self.0, OWN)
    }
}

/// Value of a `Set-Cookie` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Sorted.
    attributes: Vec<String>,
}

impl SetCookie {
    pub(crate) fn deletes(&self) -> bool {
        self.value.is_empty() && self.attributes.iter().any(|attribute| attribute == "Max-Age=0")
    }

    /// Returns the attributes but `Max-Age`, as one text.
    pub(crate) fn lasting(&self) -> String {
        let lasting = self.attributes.iter().filter(|attribute| !attribute.starts_with("Max-Age="));
        lasting.cloned().collect::<Vec<_>>().join("; ")
    }

    /// Returns the lifetime in seconds.
    pub(crate) fn max_age(&self) -> Option<i64> {
        self.attributes.iter().find_map(|attribute| attribute.strip_prefix("Max-Age=")?.parse().ok())
    }

    fn holds_token(&self) -> bool {
        self.name.ends_with("portcullis_access") || self.name.ends_with("portcullis_refresh")
    }
}

impl Reply {
    /// Returns the cookies it sets, sorted by name.
    #[track_caller]
    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        let fields = self.headers.get_all("Set-Cookie").iter().map(|value| value.to_str().unwrap());
        let mut cookies: Vec<_> = fields
            .map(|field| {
                let mut parts = field.split("; ").map(str::to_owned);
                let (name, value) = parts.next().unwrap().split_once('=').map(|(n, v)| (n.into(), v.into())).unwrap();
                let mut attributes: Vec<_> = parts.collect();
                attributes.sort();
                SetCookie { name, value, attributes }
            })
            .collect();
        cookies.sort_by(|one, other| one.name.cmp(&other.name));
        cookies
    }

    /// Returns the access and the refresh cookie that it sets, which must be both.
    #[track_caller]
    fn token_cookies(&self) -> [SetCookie; 2] {
        let cookies: Vec<_> = self.cookies().into_iter().filter(SetCookie::holds_token).collect();
        cookies.try_into().unwrap_or_else(|found| panic!("{}\n{}\n{found:?}", self.request, self.text()))
    }

    /// Checks for the tokens as cookies and a body without them. Returns the body.
    #[track_caller]
    fn in_cookies(&self) -> Value {
        let body = self.expect(200);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("cookie"), &json!(900)), "{}", self.request);
        assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none(), "{body}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"));
        self.token_cookies().iter().for_each(|cookie| assert!(!cookie.deletes(), "{cookie:?}"));
        body
    }

    /// Checks that it sets no cookie.
    #[track_caller]
    fn sets_nothing(&self) -> &Self {
        assert_eq!(self.cookies(), [], "{}\n{}", self.request, self.text());
        self
    }

    /// Checks for the refusal of another site's page. It sets nothing.
    #[track_caller]
    fn cross_site(&self) {
        assert_eq!(self.sets_nothing().expect_error(403, "FORBIDDEN"), json!({"reason": "cross_site"}));
    }
}

/// Browser that has a page of the service open. It stores cookies and sends all of them with each call.
#[derive(Clone)]
struct Browser<'a> {
    service: &'a Service,
    origin: &'static str,
    jar: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(service: &'a Service, origin: &'static str) -> Self {
        Self { service, origin, jar: BTreeMap::new() }
    }

    #[track_caller]
    fn with_session(service: &'a Service, origin: &'static str) -> (Account, Self) {
        let (account, mut browser) = (service.account(), Self::new(service, origin));
        browser.log_in(&account).in_cookies();
        (account, browser)
    }

    /// Prepares a call with the cookies alone.
    fn bare(&self, method: &str, path: &str) -> Call {
        let call = self.service.call(method, path);
        if self.jar.is_empty() { call } else { call.header("Cookie", &self.cookies()) }
    }

    /// Prepares a call of the page's script.
    fn call(&self, method: &str, path: &str) -> Call {
        self.bare(method, path).header(HEADER.0, HEADER.1).header("Origin", self.origin)
    }

    fn cookies(&self) -> String {
        self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Sends a call and stores the cookies of the response.
    fn send(&mut self, call: Call) -> Reply {
        let reply = call.send();
        self.keep(&reply);
        reply
    }

    fn keep(&mut self, reply: &Reply) {
        for cookie in reply.cookies() {
            if cookie.deletes() {
                self.jar.remove(&cookie.name)
            } else {
                self.jar.insert(cookie.name, cookie.value)
            };
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> Reply {
        let call = self.call("POST", path).json(body);
        self.send(call)
    }

    fn log_in(&mut self, account: &Account) -> Reply {
        self.post("/auth/login", &credentials(account))
    }

    fn refresh(&mut self) -> Reply {
        let call = self.call("POST", "/auth/refresh");
        self.send(call)
    }

    /// Refreshes without storing the response, as if it was lost.
    fn refresh_in_vain(&self) -> Reply {
        self.call("POST", "/auth/refresh").send()
    }

    fn me(&self) -> Reply {
        self.bare("GET", "/auth/me").send()
    }

    /// Returns the full name of a cookie in the jar.
    #[track_caller]
    fn name(&self, kind: &str) -> String {
        let mut names = self.jar.keys().filter(|name| name.ends_with(&format!("portcullis_{kind}")));
        let name = names.next().unwrap_or_else(|| panic!("no {kind}: {:?}", self.jar));
        assert_eq!(names.next(), None, "{:?}", self.jar);
        name.clone()
    }

    #[track_caller]
    fn value(&self, kind: &str) -> String {
        self.jar[&self.name(kind)].clone()
    }

    #[track_caller]
    fn pair(&self) -> Pair {
        Pair { access: self.value("access"), refresh: self.value("refresh") }
    }

    /// Returns the browser without one of its cookies.
    #[track_caller]
    fn without(&self, kind: &str) -> Self {
        let mut other = self.clone();
        other.jar.remove(&self.name(kind));
        other
    }

    /// Returns the browser with another value of one of its cookies.
    #[track_caller]
    fn with(&self, kind: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.jar.insert(self.name(kind), value.to_owned());
        other
    }

    /// Returns the browser with this pair put back into its cookies.
    #[track_caller]
    fn with_pair(&self, pair: &Pair) -> Self {
        self.with("access", &pair.access).with("refresh", &pair.refresh)
    }
}

impl Service {
    /// Counts the refresh tokens of the pair's session: all, and the live ones.
    fn tokens_of(&self, pair: &Pair) -> (i64, i64) {
        let of_session =
            format!("FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE sid = '{}')", pair.sid());
        (self.database.count(&of_session), self.database.count(&format!("{of_session} AND NOT revoked")))
    }
}
