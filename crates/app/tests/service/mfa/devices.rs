//! Trusted devices: `MFA_TRUST_DAYS`, `remember_device` and `/auth/mfa/devices`. `clock` tests their end.

use crate::accounts::NEW;
use crate::prelude::*;
use crate::process::cli_harness::done;
use chrono::{DateTime, Utc};

on_both_databases!(
    c1_16_by_default_no_device_is_trusted,
    c1_16_a_remembered_device_needs_no_second_factor,
    c1_16_a_login_that_brings_its_code_remembers_too,
    c1_16_the_row_decides_and_never_the_cookie_alone,
    c1_16_devices_are_listed_and_deleted,
    c1_16_all_end_with_any_change_of_password_or_factors,
    c1_22_a_session_of_a_trusted_device_is_no_second_factor,
);

/// Service that trusts devices for 30 days, which tests share.
struct Trusting(&'static Service);

impl Fixture for Trusting {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| setup.set("MFA_TRUST_DAYS", "30")))
    }
}

/// Logs in with a second factor and `remember_device`. Returns the device's cookie.
#[track_caller]
pub(super) fn remembered(service: &Service, of: &Enrolled) -> String {
    let proof = json!({"code": service.fresh_code(of), "remember_device": true});
    let reply = service.second(&service.challenge(&of.account), &proof);
    reply.expect(200);
    reply.cookie()
}

/// Returns the trusted devices as a browser with that cookie sees them.
#[track_caller]
fn devices(service: &Service, access: &str, cookie: &str) -> Vec<Value> {
    let call = service.call("GET", "/auth/mfa/devices").bearer(access).header("Cookie", cookie);
    let body = call.send().expect(200);
    assert_eq!(members(&body), ["devices"]);
    body["devices"].as_array().unwrap().clone()
}

fn c1_16_by_default_no_device_is_trusted(service: &Service) {
    let enrolled = service.enrolled();
    let cookie = remembered(service, &enrolled);
    service.login_from(&cookie, &enrolled.account).mfa_token();
    assert_eq!(devices(service, &enrolled.pair.access, &cookie), Vec::<Value>::new());
}

fn c1_16_a_remembered_device_needs_no_second_factor(Trusting(service): Trusting) {
    let enrolled = service.enrolled();
    let cookie = remembered(service, &enrolled);
    let reply = service.login_from(&cookie, &enrolled.account);
    reply.expect(200);
    // A renewed cookie is the same device.
    service.login_from(&reply.cookie(), &enrolled.account).expect(200);
    service.login_from(&cookie, &enrolled.account).expect(200);
    let form = service.call("POST", "/auth/login").header("Cookie", &cookie);
    form.fields(&enrolled.account.as_form()).send().expect(200);
    service.login_from(&cookie, &enrolled.account.with_password("wrong")).wrong_credentials();
    service.challenge(&enrolled.account);
    // It only spares the code.
    service.login_from(&cookie, &enrolled.account.with_password(NEW)).wrong_credentials();
}

fn c1_16_a_login_that_brings_its_code_remembers_too(Trusting(service): Trusting) {
    let enrolled = service.enrolled();
    for (code, remember, trusted) in [
        (service.fresh_code(&enrolled), json!(true), true),
        (enrolled.codes[0].clone(), json!(true), true),
        (enrolled.codes[1].clone(), json!(false), false),
        (enrolled.codes[2].clone(), json!(null), false),
    ] {
        let mut body = credentials(&enrolled.account);
        (body["code"], body["remember_device"]) = (json!(code), remember);
        let reply = service.post("/auth/login", &body);
        reply.expect(200);
        let later = service.login_from(&reply.cookie(), &enrolled.account);
        assert_eq!(later.status, if trusted { 200 } else { 403 }, "{}", reply.request);
    }
    // A login that needs no code has nothing to remember.
    let (account, pair) = service.session();
    let mut body = credentials(&account);
    body["remember_device"] = json!(true);
    let cookie = service.post("/auth/login", &body).cookie();
    service.add_factor(&pair.access);
    service.login_from(&cookie, &account).mfa_token();
}

fn c1_16_the_row_decides_and_never_the_cookie_alone(Trusting(service): Trusting) {
    let [enrolled, other] = [service.enrolled(), service.enrolled()];
    let (trusted, known) = (remembered(service, &enrolled), enrolled.cookie.clone());
    service.login_from(&known, &enrolled.account).mfa_token();
    service.login_from(&trusted, &other.account).mfa_token();
    service.login_from(&remembered(service, &other), &enrolled.account).mfa_token();
    service.login_from(&trusted, &enrolled.account).expect(200);
    service.database.execute(&format!("DELETE FROM trusted_devices WHERE user_id = {}", enrolled.account.id));
    service.login_from(&trusted, &enrolled.account).mfa_token();
}

fn c1_16_devices_are_listed_and_deleted(Trusting(service): Trusting) {
    let [enrolled, other] = [service.enrolled(), service.enrolled()];
    let access = &enrolled.pair.access;
    let cookies = [(); 3].map(|()| remembered(service, &enrolled));
    // Remembering it again makes no second row.
    let again = json!({"code": service.fresh_code(&enrolled), "remember_device": true});
    let call = service.call("POST", "/auth/login").header("Cookie", &cookies[2]);
    let mut body = credentials(&enrolled.account);
    (body["code"], body["remember_device"]) = (again["code"].clone(), json!(true));
    call.json(&body).send().expect(200);
    let listed = devices(service, access, &cookies[1]);
    assert_eq!(listed.len(), 3, "{listed:?}");
    for device in &listed {
        assert_eq!(members(device), ["created_at", "current", "expires_at", "id", "label"]);
        assert!(device["label"].as_str().is_some_and(|label| !label.is_empty()), "{device}");
        let [created, expires] = ["created_at", "expires_at"]
            .map(|name| -> DateTime<Utc> { device[name].as_str().unwrap().parse().unwrap() });
        let days = (expires - created).num_seconds();
        assert!((30 * 86_400 - 60..=30 * 86_400 + 60).contains(&days), "{device}");
    }
    let (current, rest): (Vec<_>, Vec<_>) = listed.iter().partition(|device| device["current"] == true);
    assert_eq!((current.len(), rest.len()), (1, 2));
    let forget = |id: &str| service.ask("DELETE", &format!("/auth/mfa/devices/{id}"), access);
    remembered(service, &other);
    let theirs = devices(service, &other.pair.access, "").remove(0);
    for unknown in [theirs["id"].as_str().unwrap(), "x", "0123456789abcdef0123456789abcdef"] {
        forget(unknown).not_found();
    }
    let gone = forget(current[0]["id"].as_str().unwrap());
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    service.login_from(&cookies[1], &enrolled.account).mfa_token();
    service.login_from(&cookies[0], &enrolled.account).expect(200);
    service.ask("DELETE", "/auth/mfa/devices", access).has_status(204);
    cookies.iter().for_each(|cookie| drop(service.login_from(cookie, &enrolled.account).mfa_token()));
    assert_eq!(devices(service, access, &cookies[0]).len(), 0);
    assert_eq!(devices(service, &other.pair.access, "").len(), 1, "another account's");
}

fn c1_16_all_end_with_any_change_of_password_or_factors(Trusting(service): Trusting) {
    type Change = fn(&Service, &Enrolled);
    let changes: [(&str, Change); 8] = [
        ("a new password", |service, of| {
            service.change_password(&of.pair.access, &of.account.password, NEW).expect(200);
        }),
        ("a reset", |service, of| {
            service.reset(&service.reset_link(&of.account), NEW).expect(200);
        }),
        ("a further factor", |service, of| drop(service.add_factor(&of.pair.access))),
        ("a factor less", |service, of| {
            let (_, id, _) = service.add_factor(&of.pair.access);
            remembered(service, of);
            assert_eq!(service.rows_of(&of.account, "trusted_devices"), 1);
            service.remove_factor(&of.pair.access, &id).has_status(204);
        }),
        ("no factor", |service, of| {
            service.remove_factor(&of.pair.access, &of.factor).has_status(204);
        }),
        ("logout-all", |service, of| {
            service.ask("POST", "/auth/logout-all", &of.pair.access).expect(200);
        }),
        ("a disabled account", |service, of| {
            done(&service.database, &format!("user disable {}", of.account.id));
        }),
        ("revoked sessions", |service, of| {
            done(&service.database, &format!("session revoke --all {}", of.account.id));
        }),
    ];
    for (what, change) in changes {
        let enrolled = service.enrol(service.verified_account());
        remembered(service, &enrolled);
        assert_eq!(service.rows_of(&enrolled.account, "trusted_devices"), 1, "{what}");
        // Neither a pending factor nor another name is a change of factors.
        service.begin_factor(&enrolled.pair.access).expect(201);
        let path = format!("/auth/mfa/totp/{}", enrolled.factor);
        service.tell("PATCH", &path, &enrolled.pair.access, &json!({"name": "phone"})).expect(200);
        assert_eq!(service.rows_of(&enrolled.account, "trusted_devices"), 1, "{what}");
        change(service, &enrolled);
        assert_eq!(service.rows_of(&enrolled.account, "trusted_devices"), 0, "{what}");
    }
}

fn c1_22_a_session_of_a_trusted_device_is_no_second_factor(Trusting(service): Trusting) {
    let enrolled = service.enrolled();
    let pair = Pair::of(&service.login_from(&remembered(service, &enrolled), &enrolled.account));
    let claims = jose::claims(&pair.access);
    assert!(
        claims.get("amr").is_none() && claims.get("auth_time").is_none(),
        "it began with a password alone: {claims}"
    );
    service.begin_factor(&pair.access).step_up();
    service.new_recovery_codes(&pair.access).step_up();
    service.remove_factor(&pair.access, &enrolled.factor).step_up();
    service.reauthenticate(&pair.access, &json!({"password": enrolled.account.password})).wrong_credentials();
    let both = json!({"password": enrolled.account.password, "code": service.fresh_code(&enrolled)});
    service.reauthenticate(&pair.access, &both).expect(200);
    service.remove_factor(&pair.access, &enrolled.factor).has_status(204);
}
