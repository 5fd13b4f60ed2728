//! Ways for an owner to log in while an attacker guesses the password: a known device, a source that logged
//! in before, and a reset. All password checks share one budget.

use super::{expect_limited, limited, spend};
use crate::harness::accounts::{Account, Pair};
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use serde_json::{Value, json};

on_both_databases!(
    guesses_with_a_stolen_token_count_with_those_of_logins,
    known_device_keeps_its_own_budget_at_every_password_check,
    a_new_password_makes_the_other_devices_strangers,
    a_source_that_signed_in_before_has_a_budget_of_its_own,
    a_reset_ends_the_wait_and_makes_the_browser_known,
    the_page_of_a_reset_makes_the_browser_known,
    refused_calls_are_charged_to_the_source,
);

const NEW: &str = "wrong donkey charger paperclip";
const POLICY: &str = "q=10;w=900";
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

/// Caller with its own IP address behind a proxy, and optionally a cookie.
struct Caller<'a> {
    service: &'a Service,
    address: &'a str,
    cookie: Option<String>,
}

impl Caller<'_> {
    fn at<'a>(service: &'a Service, address: &'a str) -> Caller<'a> {
        Caller { service, address, cookie: None }
    }

    fn send(&self, method: &str, path: &str, access: Option<&str>, body: &Value) -> Reply {
        let mut call = self.service.call(method, path).header("X-Forwarded-For", self.address);
        let (cookie, bearer) = (self.cookie.as_deref().unwrap_or_default(), access.unwrap_or_default());
        let (cookie, bearer) = (format!("portcullis_device={cookie}"), format!("Bearer {bearer}"));
        if self.cookie.is_some() {
            call = call.header("Cookie", &cookie);
        }
        if access.is_some() {
            call = call.header("Authorization", &bearer);
        }
        call.json(body).send()
    }

    fn login(&self, account: &Account, password: &str) -> Reply {
        self.send("POST", "/auth/login", None, &json!({"email": account.email, "password": password}))
    }

    fn change(&self, access: &str, current: &str, new: &str) -> Reply {
        let body = json!({"current_password": current, "new_password": new});
        self.send("POST", "/auth/password/change", Some(access), &body)
    }

    /// Logs in and keeps the cookie.
    fn sign_in(&mut self, account: &Account) -> Pair {
        let reply = self.login(account, &account.password);
        let pair = Pair::of(&reply);
        self.cookie = Some(cookie(&reply));
        pair
    }
}

fn cookie(reply: &Reply) -> String {
    reply.header("Set-Cookie").expect("Set-Cookie").split(['=', ';']).nth(1).unwrap().to_owned()
}

fn behind_a_proxy(backend: Backend) -> Service {
    limited(backend.service()).set("TRUSTED_PROXIES", "127.0.0.1").start()
}

fn guesses_with_a_stolen_token_count_with_those_of_logins(backend: Backend) {
    let service = behind_a_proxy(backend);
    let account = service.account();
    let stolen = Caller::at(&service, HOME).sign_in(&account).access;
    let thief = Caller::at(&service, ELSEWHERE);
    let email = json!({"password": "wrong", "new_email": "thief@example.net"});
    for _ in 0..3 {
        thief.login(&account, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        thief.change(&stolen, "wrong", NEW).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let changed = thief.send("POST", "/auth/email/change", Some(&stolen), &email);
        changed.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let leave = || thief.send("DELETE", "/auth/me", Some(&stolen), &json!({"password": "wrong"}));
    leave().expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for refused in [
        thief.login(&account, "wrong"),
        thief.change(&stolen, "wrong", NEW),
        thief.send("POST", "/auth/email/change", Some(&stolen), &email),
        leave(),
    ] {
        expect_limited(&refused, "account", POLICY);
    }
}

fn known_device_keeps_its_own_budget_at_every_password_check(backend: Backend) {
    let service = behind_a_proxy(backend);
    let account = service.account();
    let mut owner = Caller::at(&service, HOME);
    let own = owner.sign_in(&account);
    let thief = Caller::at(&service, ELSEWHERE);
    (0..14).for_each(|_| drop(thief.change(&own.access, "wrong", NEW)));
    expect_limited(&thief.change(&own.access, &account.password, NEW), "account", POLICY);
    // From another IP address, only the cookie distinguishes the owner from the thief.
    owner.address = "203.0.113.5";
    let changed = owner.change(&own.access, &account.password, NEW);
    changed.expect(200);
    owner.cookie = Some(cookie(&changed));
    owner.login(&account, NEW).expect(200);
}

fn a_new_password_makes_the_other_devices_strangers(backend: Backend) {
    let service = behind_a_proxy(backend);
    let account = service.account();
    let others = (0..5).map(|_| {
        let mut other = Caller::at(&service, ELSEWHERE);
        other.sign_in(&account);
        other
    });
    let others: Vec<_> = others.collect();
    let mut owner = Caller::at(&service, HOME);
    let own = owner.sign_in(&account);
    let changed = owner.change(&own.access, &account.password, NEW);
    owner.cookie = Some(cookie(&changed));
    let replies: Vec<_> = others.iter().flat_map(|other| (0..10).map(|_| other.login(&account, "wrong"))).collect();
    assert_eq!((super::count(&replies, 401), super::count(&replies, 429)), (10, 40));
    expect_limited(&others[0].login(&account, NEW), "account", POLICY);
    owner.address = "203.0.113.5";
    owner.login(&account, NEW).expect(200);
    // It has ten failed attempts, as before.
    (0..10).for_each(|_| drop(owner.login(&account, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS")));
    expect_limited(&owner.login(&account, NEW), "device", POLICY);
}

fn a_source_that_signed_in_before_has_a_budget_of_its_own(backend: Backend) {
    let setup = limited(backend.service()).set("TRUSTED_PROXIES", "127.0.0.1");
    let service = setup.start();
    let account = service.account();
    Caller::at(&service, HOME).login(&account, &account.password).expect(200);
    // The limiter's memory ends with the process. The stored sessions remain.
    service.stop();
    let service = limited(service.again()).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let (home, attacker) = (Caller::at(&service, HOME), Caller::at(&service, ELSEWHERE));
    let attack = || drop((0..12).map(|_| attacker.login(&account, "wrong")).collect::<Vec<_>>());
    attack();
    expect_limited(&attacker.login(&account, &account.password), "account", POLICY);
    expect_limited(&Caller::at(&service, "192.0.2.2").login(&account, &account.password), "account", POLICY);
    for _ in 0..3 {
        home.login(&account, &account.password).expect(200);
        attack();
    }
    for _ in 0..10 {
        home.login(&account, "wrong").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    expect_limited(&home.login(&account, &account.password), "account", POLICY);
    // No source ever logged in to an account that does not exist.
    let nobody = Account { email: crate::harness::accounts::fresh_email(), ..account.clone() };
    (0..10).for_each(|_| drop(attacker.login(&nobody, "wrong")));
    expect_limited(&home.login(&nobody, "wrong"), "account", POLICY);
}

fn a_reset_ends_the_wait_and_makes_the_browser_known(backend: Backend) {
    let service = behind_a_proxy(backend);
    let account = service.account();
    let attacker = Caller::at(&service, ELSEWHERE);
    (0..12).for_each(|_| drop(attacker.login(&account, "wrong")));
    let mut owner = Caller::at(&service, HOME);
    expect_limited(&owner.login(&account, &account.password), "account", POLICY);
    let token = service.reset_token(&account, 2);
    let reset = owner.send("POST", "/auth/password/reset", None, &json!({"token": token, "new_password": NEW}));
    reset.expect(200);
    owner.login(&account, NEW).expect(200);
    (0..12).for_each(|_| drop(attacker.login(&account, "wrong")));
    (owner.address, owner.cookie) = ("203.0.113.5", Some(cookie(&reset)));
    owner.login(&account, NEW).expect(200);
}

fn the_page_of_a_reset_makes_the_browser_known(backend: Backend) {
    let service = behind_a_proxy(backend);
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let typed = NEW.replace(' ', "+");
    let form = format!("token={token}&new_password={typed}&repetition={typed}");
    let done = service.call("POST", "/account/reset").form(&form).send();
    assert_eq!(done.status, 200);
    spend(&service, &account.email);
    let owner = Caller { service: &service, address: HOME, cookie: Some(cookie(&done)) };
    owner.login(&account, NEW).expect(200);
}

fn refused_calls_are_charged_to_the_source(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_SOURCE", "15/24h").start();
    let account = service.account();
    // One email is the registration's.
    spend(&service, &account.email);
    for _ in 0..4 {
        expect_limited(&service.login(&account.email, "wrong"), "account", POLICY);
    }
    let refused = service.login(&crate::harness::accounts::fresh_email(), "wrong");
    expect_limited(&refused, "source", "q=15;w=86400");
}
