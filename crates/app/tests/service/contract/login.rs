//! `POST /auth/login`.

use crate::prelude::*;
use std::collections::HashSet;

on_both_databases!(
    a_login_gives_a_pair_of_tokens,
    every_refusal_looks_the_same_and_costs_one_hash,
    no_password_policy_applies,
    the_oauth2_password_form_signs_in,
    a_form_is_read_as_a_form,
    every_sign_in_is_a_fresh_session,
    every_attempt_is_logged_and_tells_no_secret,
);

fn a_login_gives_a_pair_of_tokens(service: &Service) {
    let account = service.account();
    let body = service.login(&account.email, &account.password).expect(200);
    assert_eq!(members(&body), ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(900)));
    assert_eq!(service.me(body["access_token"].as_str().unwrap()).expect(200)["email"], account.email);
}

/// The hash is what a refusal takes time for; `hashes` checks that its cost is the same for all.
fn every_refusal_looks_the_same_and_costs_one_hash(backend: Backend) {
    let service = backend.service().set("METRICS_ADDR", "127.0.0.1:0").start();
    let (known, inactive, long, damaged) = (service.account(), service.account(), "x".repeat(100), fresh_email());
    service.disable(&inactive);
    service.database.insert_user(&damaged, "damaged");
    let prehashed = service.account_with(&long);
    let metrics = Metrics::of(&service);
    let refusals = [
        (fresh_email(), "correct horse battery staple"),
        (known.email.clone(), "wrong password"),
        (known.email.clone(), &long),
        (inactive.email.clone(), &inactive.password),
        (inactive.email.clone(), "wrong password"),
        (prehashed.email.clone(), "wrong password"),
        (damaged, "wrong password"),
    ];
    let mut first = None;
    for (number, (email, password)) in refusals.iter().enumerate() {
        let before = metrics.hashes();
        let reply = match number % 2 {
            0 => service.login(email, password),
            _ => service.call("POST", "/auth/login").fields(&[("username", email), ("password", password)]).send(),
        };
        reply.wrong_credentials();
        assert_eq!(metrics.hashes() - before, 1.0, "{}", reply.request);
        assert_eq!(&reply.seen(), first.get_or_insert_with(|| reply.seen()), "{}", reply.request);
    }
}

fn no_password_policy_applies(service: &Service) {
    let account = service.account();
    for password in ["", "x", &"x".repeat(257), &"x".repeat(60_000)] {
        service.login(&account.email, password).wrong_credentials();
    }
    // An account from another program may have a password of any length: here "a".
    let adopted = fresh_email();
    service.database.insert_user(&adopted, "$2b$04$B.Ld5m8CaEX9q/6BN3K/c.yJmCUDEC0g6jfHmcM/1X0YCX7F84Y.u");
    service.login(&adopted, "a").expect(200);
}

fn the_oauth2_password_form_signs_in(service: &Service) {
    let account = service.account();
    let form = |fields: &[(&str, &str)]| service.call("POST", "/auth/login").fields(fields).send();
    let [username, password] = account.as_form();
    let reply = form(&[username, password]);
    assert_eq!(reply.expect(200)["token_type"], "bearer");
    service.me(&Pair::of(&reply).access).expect(200);
    // Members that the Swagger page adds (RFC 6749 §4.3.2).
    let page =
        [("grant_type", "password"), username, password, ("scope", ""), ("client_id", ""), ("client_secret", "")];
    form(&page).expect(200);
    form(&[username, ("password", "wrong")]).wrong_credentials();
    form(&[("username", &account.email.to_uppercase()), password]).expect(200);
}

fn a_form_is_read_as_a_form(service: &Service) {
    let account = service.account_with("a+b c%20&=d é🔑");
    let email = account.email.replace('@', "%40");
    let send = |body: &str| {
        service.call("POST", "/auth/login").body("application/x-www-form-urlencoded; charset=utf-8", body).send()
    };
    let form = |password: &str| send(&format!("username={email}&password={password}"));
    form("a%2Bb+c%2520%26%3Dd+%C3%A9%F0%9F%94%91").expect(200);
    form("a%2bb%20c%2520%26%3dd%20%c3%a9%f0%9f%94%91").expect(200);
    form("a+b+c%2520%26%3Dd+%C3%A9%F0%9F%94%91").wrong_credentials();
    assert_ne!(form("%ff%fe").status, 200);
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
    let mut pairs = vec![Pair::of(&call.json(&body).send())];
    pairs.extend((0..30).map(|_| service.sign_in(&account)));
    pairs.extend([service.renewed(&first), first]);
    let jti = |token: &str| jose::claims(token)["jti"].as_str().unwrap().to_owned();
    let ids: HashSet<_> = pairs.iter().map(|pair| jti(&pair.refresh)).collect();
    assert_eq!(ids.len(), pairs.len(), "no identifier repeats");
    // The access token of a refresh carries the id of the token that was spent.
    let ids: HashSet<_> = pairs.iter().map(|pair| jti(&pair.access)).collect();
    assert!(ids.len() >= pairs.len() - 1, "no identifier repeats");
    pairs[..3].iter().for_each(|pair| drop(service.renewed(pair)));
}

fn every_attempt_is_logged_and_tells_no_secret(service: &Service) {
    let account = service.account();
    let unknown = fresh_email();
    let mut told = HashSet::new();
    for (email, password, level) in [
        (account.email.as_str(), account.password.as_str(), "INFO"),
        (account.email.as_str(), "marker wrong password", "WARNING"),
        (unknown.as_str(), "marker wrong password", "WARNING"),
    ] {
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
