//! The cookie of a known device: its contents and what it does and does not allow.

use super::{at_once, count, expect_limited, limited, spend};
use crate::harness::accounts::Account;
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::{Service, random_secret};
use serde_json::json;

on_both_databases!(
    successful_login_sets_a_signed_cookie_that_names_no_user,
    an_attack_from_elsewhere_never_locks_the_owner_out,
    a_known_device_has_a_budget_of_its_own,
    a_cookie_is_good_for_one_account,
    a_forged_cookie_gains_nothing,
    a_cookie_survives_a_restart_and_not_a_new_secret,
    a_page_of_a_listed_origin_may_keep_the_cookie,
    a_form_of_another_site_leaves_no_cookie,
);

fn try_with(service: &Service, account: &Account, password: &str, cookie: &str) -> Reply {
    let body = json!({"email": account.email, "password": password});
    service.call("POST", "/auth/login").header("Cookie", &format!("portcullis_device={cookie}")).json(&body).send()
}

fn set_cookie(reply: &Reply) -> &str {
    reply.header("Set-Cookie").expect("Set-Cookie")
}

/// Logs in and returns the cookie's value.
fn known_device(service: &Service, account: &Account) -> String {
    let reply = service.login(&account.email, &account.password);
    let (value, _) = set_cookie(&reply).strip_prefix("portcullis_device=").unwrap().split_once(';').unwrap();
    value.to_owned()
}

fn successful_login_sets_a_signed_cookie_that_names_no_user(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let reply = service.login(&account.email, &account.password);
    let cookie = set_cookie(&reply);
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=34560000"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it came without TLS: {cookie}");
    assert!(!cookie.contains(&account.email) && !cookie.contains(account.email.split('@').next().unwrap()), "{cookie}");
    assert_eq!(service.login(&account.email, "wrong").header("Set-Cookie"), None);
    assert_ne!(known_device(&service, &account), known_device(&service, &account), "each device has its own");
    assert!(!service.flushed_log().text().contains(cookie.split(['=', ';']).nth(1).unwrap()));
}

fn an_attack_from_elsewhere_never_locks_the_owner_out(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let cookie = known_device(&service, &account);
    let replies = at_once(60, |number| match number % 6 {
        0 => try_with(&service, &account, &account.password, &cookie),
        _ => service.login(&account.email, "wrong"),
    });
    let owner: Vec<_> = replies.iter().step_by(6).cloned().collect();
    assert_eq!(count(&owner, 200), 10);
    expect_limited(&service.login(&account.email, &account.password), "account", "q=10;w=900");
    try_with(&service, &account, &account.password, &cookie).expect(200);
}

fn a_known_device_has_a_budget_of_its_own(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_DEVICE", "3/10m").start();
    let account = service.account();
    let cookie = known_device(&service, &account);
    for _ in 0..3 {
        try_with(&service, &account, "wrong", &cookie).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    expect_limited(&try_with(&service, &account, &account.password, &cookie), "device", "q=3;w=600");
    service.sign_in(&account);
}

fn a_cookie_is_good_for_one_account(backend: Backend) {
    let service = limited(backend.service()).start();
    let (thief, victim) = (service.account(), service.account());
    let cookie = known_device(&service, &thief);
    spend(&service, &victim.email);
    for email in [victim.email.clone(), victim.email.to_uppercase()] {
        let victim = Account { email, ..victim.clone() };
        expect_limited(&try_with(&service, &victim, &victim.password, &cookie), "account", "q=10;w=900");
    }
}

fn a_forged_cookie_gains_nothing(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let cookie = known_device(&service, &account);
    spend(&service, &account.email);
    // Changes each part in turn; all stay well-formed.
    let parts: Vec<_> = cookie.split('.').collect();
    let [version, device, issued, password, signature] = parts[..] else { panic!("{cookie}") };
    let other = |part: &str| {
        let (rest, last) = part.split_at(part.len() - 1);
        format!("{rest}{}", if last == "0" { "1" } else { "0" })
    };
    let changed = [
        format!("{version}.{}.{issued}.{password}.{signature}", other(device)),
        format!("{version}.{device}.{}.{password}.{signature}", other(issued)),
        format!("{version}.{device}.{issued}.{}.{signature}", other(password)),
        format!("{version}.{device}.{issued}.{password}.{}", other(signature)),
        // Format of earlier releases, which was not bound to a password.
        format!("1.{device}.{issued}.{signature}"),
    ];
    let cut = &cookie[..cookie.len() - 2];
    let twice = format!("{cookie}; portcullis_device={cookie}");
    let misspelled = ["", "1", cut, &cookie.replacen("2.", "1.", 1), &cookie.to_uppercase(), &twice];
    for forged in misspelled.into_iter().chain(changed.iter().map(String::as_str)) {
        expect_limited(&try_with(&service, &account, &account.password, forged), "account", "q=10;w=900");
    }
    try_with(&service, &account, &account.password, &cookie).expect(200);
    // Without the password it allows nothing.
    try_with(&service, &account, "wrong", &cookie).expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

fn a_cookie_survives_a_restart_and_not_a_new_secret(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let cookie = known_device(&service, &account);
    service.stop();
    for (setup, known) in [(service.again(), true), (service.again().set("SECRET_KEY", &random_secret()), false)] {
        let service = limited(setup).start();
        spend(&service, &account.email);
        let reply = try_with(&service, &account, &account.password, &cookie);
        assert_eq!(reply.status, if known { 200 } else { 429 });
    }
}

fn a_page_of_a_listed_origin_may_keep_the_cookie(backend: Backend) {
    let service = limited(backend.service()).set("CORS_ORIGINS", "https://app.example.org").start();
    let account = service.account();
    let body = json!({"email": account.email, "password": account.password});
    let call = service.call("POST", "/auth/login").header("Origin", "https://app.example.org");
    let reply = call.json(&body).send();
    set_cookie(&reply);
    assert_eq!(reply.header("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("https://app.example.org"), "never any origin");
}

fn a_form_of_another_site_leaves_no_cookie(backend: Backend) {
    let service = limited(backend.service()).start();
    let account = service.account();
    let body =
        format!("username={}&password={}", account.email.replace('@', "%40"), account.password.replace(' ', "+"));
    let own = format!("http://{}", service.address);
    for (site, origin, kept) in [
        (Some("cross-site"), "https://evil.example", false),
        (Some("same-site"), "https://evil.example", false),
        (None, "https://evil.example", false),
        (None, "null", false),
        (Some("same-origin"), own.as_str(), true),
        (None, own.as_str(), true),
    ] {
        let call = service.call("POST", "/auth/login").header("Origin", origin);
        let call = if let Some(site) = site { call.header("Sec-Fetch-Site", site) } else { call };
        let reply = call.form(&body).send();
        reply.expect(200);
        assert_eq!(reply.header("Set-Cookie").is_some(), kept, "{site:?} {origin}");
    }
}
