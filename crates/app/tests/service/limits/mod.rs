//! Rate limits: the documented promises to clients.

mod budgets;
mod dead_refreshes;
mod devices;
mod owners;
mod redis_urls;
mod replicas;
mod sources;

use crate::prelude::*;
use std::ops::Deref;

/// Policy of an account's budget, and of a device's.
pub(crate) const ACCOUNT: &str = "q=10;w=900";
const ORIGIN: &str = "https://app.example.org";

/// Enables the limits, which other tests disable.
pub(crate) fn limited(setup: ServiceBuilder) -> ServiceBuilder {
    setup.unset("RATE_LIMIT_ENABLED")
}

/// Service with the default limits behind a trusted proxy. Tests share it, because each caller has its own IP
/// address.
pub(crate) struct Limited(&'static Service);

impl Fixture for Limited {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| limited(setup).set("TRUSTED_PROXIES", "127.0.0.1").set("CORS_ORIGINS", ORIGIN)))
    }
}

impl Deref for Limited {
    type Target = Service;

    fn deref(&self) -> &Service {
        self.0
    }
}

impl Limited {
    /// Returns a caller with an IP address of its own.
    pub(crate) fn caller(&self) -> Caller<'_> {
        let number = unique();
        Caller { service: self.0, address: format!("198.18.{}.{}", number / 256, number % 256), cookie: None }
    }

    /// Creates an account from an IP address of its own.
    pub(crate) fn customer(&self) -> Account {
        let (caller, account) = (
            self.caller(),
            Account { id: 0, email: fresh_email(), password: "correct horse battery staple".to_owned() },
        );
        let body = json!({"email": account.email, "password": account.password});
        let id = caller.send("POST", "/auth/register", None, &body).expect(201)["id"].as_i64().unwrap();
        Account { id, ..account }
    }
}

/// Caller with an IP address behind a proxy, and optionally a device cookie.
pub(crate) struct Caller<'a> {
    pub(crate) service: &'a Service,
    pub(crate) address: String,
    pub(crate) cookie: Option<String>,
}

impl<'a> Caller<'a> {
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let call = self.service.call(method, path).header("X-Forwarded-For", &self.address);
        self.cookie.iter().fold(call, |call, cookie| call.header("Cookie", cookie))
    }

    pub(crate) fn send(&self, method: &str, path: &str, access: Option<&str>, body: &Value) -> Reply {
        let call = self.call(method, path).json(body);
        access.into_iter().fold(call, Call::bearer).send()
    }

    /// Returns the same caller at another IP address.
    pub(crate) fn at(&self, address: &str) -> Self {
        Caller { address: address.to_owned(), cookie: self.cookie.clone(), ..*self }
    }

    pub(crate) fn with(&self, cookie: &str) -> Caller<'a> {
        Caller { address: self.address.clone(), cookie: Some(cookie.to_owned()), ..*self }
    }

    pub(crate) fn login(&self, email: &str, password: &str) -> Reply {
        self.send("POST", "/auth/login", None, &json!({"email": email, "password": password}))
    }

    fn change(&self, access: &str, current: &str, new: &str) -> Reply {
        let body = json!({"current_password": current, "new_password": new});
        self.send("POST", "/auth/password/change", Some(access), &body)
    }

    /// Logs in and keeps the cookie.
    #[track_caller]
    fn sign_in(&mut self, account: &Account) -> Pair {
        let reply = self.login(&account.email, &account.password);
        self.cookie = Some(reply.cookie());
        Pair::of(&reply)
    }

    /// Uses up an account's free attempts.
    #[track_caller]
    fn spend(&self, email: &str) {
        (0..10).for_each(|_| self.login(email, "wrong password").wrong_credentials());
    }
}

/// Checks for the contract's 429 and returns the seconds to wait.
#[track_caller]
pub(crate) fn expect_limited(reply: &Reply, budget: &str, policy: &str) -> u64 {
    reply.expect_error(429, "RATE_LIMITED");
    let seconds: u64 = reply.header("Retry-After").expect("Retry-After").parse().unwrap();
    assert_eq!(reply.header("RateLimit-Policy"), Some(format!("\"{budget}\";{policy}").as_str()));
    assert_eq!(reply.header("RateLimit"), Some(format!("\"{budget}\";r=0;t={seconds}").as_str()));
    seconds
}
