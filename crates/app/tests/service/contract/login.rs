//! `POST /auth/login`.

use crate::harness::accounts::{Pair, credentials, fresh_email};
use crate::harness::calls::{Reply, members};
use crate::harness::{databases::Backend, jose, on_both_databases, services::Service};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

on_both_databases!(
    a_login_gives_a_pair_of_tokens,
    unknown_email_wrong_password_and_inactive_look_the_same,
    no_password_policy_applies,
    the_oauth2_password_form_signs_in,
    a_form_is_read_as_a_form,
    every_sign_in_is_a_fresh_session,
    identifiers_never_repeat,
    every_attempt_is_logged_and_tells_no_secret,
);

fn a_login_gives_a_pair_of_tokens(service: &Service) {
    let account = service.account();
    let body = service.login(&account.email, &account.password).expect(200);
    for name in ["access_token", "expires_in", "refresh_token", "token_type"] {
        assert!(members(&body).contains(&name), "{body}");
    }
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(service.me(body["access_token"].as_str().unwrap()).expect(200)["email"], account.email);
}

fn unknown_email_wrong_password_and_inactive_look_the_same(service: &Service) {
    let (known, inactive, long, damaged) = (service.account(), service.account(), "x".repeat(100), fresh_email());
    service.disable(&inactive);
    service.database.insert_user(&damaged, "damaged");
    let prehashed = service.account_with(&long);
    let refusals = [
        service.login(&fresh_email(), "correct horse battery staple"),
        service.login(&known.email, "wrong password"),
        service.login(&known.email, &long),
        service.login(&inactive.email, &inactive.password),
        service.login(&inactive.email, "wrong password"),
        service.login(&prehashed.email, "wrong password"),
        service.login(&damaged, "wrong password"),
        service.call("POST", "/auth/login").form("username=nobody%40example.com&password=x").send(),
    ];
    let seen = |reply: &Reply| {
        let mut body = reply.expect(401);
        body["request_id"] = Value::Null;
        let own = ["date", "x-request-id"];
        let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        (body.to_string(), headers)
    };
    for refusal in &refusals {
        refusal.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(seen(refusal), seen(&refusals[0]));
    }
}

fn no_password_policy_applies(service: &Service) {
    let account = service.account();
    for password in ["", "x", &"x".repeat(257), &"x".repeat(60_000)] {
        service.login(&account.email, password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    // An account from another program may have a password of any length: here "a".
    let adopted = fresh_email();
    service.database.insert_user(&adopted, "$2b$04$B.Ld5m8CaEX9q/6BN3K/c.yJmCUDEC0g6jfHmcM/1X0YCX7F84Y.u");
    service.login(&adopted, "a").expect(200);
}

fn the_oauth2_password_form_signs_in(service: &Service) {
    let account = service.account();
    let form = |body: &str| service.call("POST", "/auth/login").form(body).send();
    let (email, password) = (account.email.replace('@', "%40"), account.password.replace(' ', "+"));
    let reply = form(&format!("username={email}&password={password}"));
    assert_eq!(reply.expect(200)["token_type"], "bearer");
    service.me(&Pair::of(&reply).access).expect(200);
    // Members that the Swagger page adds (RFC 6749 §4.3.2).
    form(&format!("grant_type=password&username={email}&password={password}&scope=&client_id=&client_secret="))
        .expect(200);
    form(&format!("username={email}&password=wrong")).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let upper = account.email.to_uppercase();
    form(&format!("username={upper}&password={password}")).expect(200);
}

fn a_form_is_read_as_a_form(service: &Service) {
    let account = service.account_with("a+b c%20&=d é🔑");
    let email = account.email.replace('@', "%40");
    let form = |password: &str| {
        let body = format!("username={email}&password={password}");
        service.call("POST", "/auth/login").body("application/x-www-form-urlencoded; charset=utf-8", body).send()
    };
    form("a%2Bb+c%2520%26%3Dd+%C3%A9%F0%9F%94%91").expect(200);
    form("a%2bb%20c%2520%26%3dd%20%c3%a9%f0%9f%94%91").expect(200);
    form("a+b+c%2520%26%3Dd+%C3%A9%F0%9F%94%91").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_ne!(form("%ff%fe").status, 200);
    let send = |body: &str| service.call("POST", "/auth/login").form(body).send();
    send(&format!("username={email}")).expect_fields(&["password"]);
    send("password=long+enough").expect_fields(&["username"]);
    send(&format!("email={email}&password=x")).expect_fields(&["username"]);
}

fn every_sign_in_is_a_fresh_session(service: &Service) {
    let (account, first) = service.session();
    let call = service.call("POST", "/auth/login").bearer(&first.access).header("Cookie", "jti=1; sid=1; session=1");
    let mut body = credentials(&account);
    body["refresh_token"] = json!(first.refresh);
    body["jti"] = json!(first.jti());
    let second = Pair::of(&call.json(&body).send());
    assert_ne!(second.jti(), first.jti());
    assert_ne!(jose::claims(&second.access)["jti"], jose::claims(&first.access)["jti"]);
    service.refresh(&first.refresh).expect(200);
    service.refresh(&second.refresh).expect(200);
}

fn identifiers_never_repeat(service: &Service) {
    let account = service.account();
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let pair = service.sign_in(&account);
        let next = Pair::of(&service.refresh(&pair.refresh));
        assert!(seen.insert(jose::claims(&pair.access)["jti"].to_string()));
        assert!(seen.insert(format!("\"{}\"", pair.jti())));
        assert!(seen.insert(format!("\"{}\"", next.jti())));
    }
}

fn every_attempt_is_logged_and_tells_no_secret(service: &Service) {
    let account = service.account();
    let unknown = fresh_email();
    let cases = [
        (account.email.as_str(), account.password.as_str(), "INFO"),
        (account.email.as_str(), "marker wrong password", "WARNING"),
        (unknown.as_str(), "marker wrong password", "WARNING"),
    ];
    let mut told = HashSet::new();
    for (email, password, level) in cases {
        let reply = service.login(email, password);
        let events = service.log.of_request(reply.request_id());
        let event = events.iter().find(|event| event["name"] == "app.auth.service");
        let event = event.unwrap_or_else(|| panic!("no line of the attempt: {events:?}"));
        assert_eq!(event["level"], level, "{event}");
        assert_eq!(event.get("user_id").and_then(Value::as_i64), (email == account.email).then_some(account.id));
        assert!(event.to_string().contains("127.0.0.1"), "no client address: {event}");
        let mut reason = event.clone();
        for name in ["timestamp", "request_id", "user_id"] {
            reason.as_object_mut().unwrap().remove(name);
        }
        assert!(told.insert(reason.to_string()), "the log tells the cases apart: {reason}");
        let all = format!("{events:?}");
        assert!(!all.contains(password) && !all.contains(email), "{all}");
    }
}

/// The cost of a refusal must not reveal whether the account exists. Measures processor time, since wall time
/// varies on a busy machine; alternates between both; tolerance 20 %.
#[test]
fn an_unknown_email_costs_what_a_wrong_password_costs() {
    let service = Backend::Sqlite.service().set("BCRYPT_COST", "10").start();
    let (known, mut costs) = (service.account(), [Duration::ZERO; 2]);
    for _ in 0..4 {
        for (cost, email) in costs.iter_mut().zip([known.email.clone(), fresh_email()]) {
            let before = service.processor_time();
            (0..5).for_each(|_| drop(service.login(&email, "wrong password").expect(401)));
            *cost += service.processor_time() - before;
        }
    }
    let ratio = costs[1].as_secs_f64() / costs[0].as_secs_f64();
    assert!((0.8..1.25).contains(&ratio), "known and unknown: {costs:?}");
}
