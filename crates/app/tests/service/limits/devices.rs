//! The cookie of a known device: its contents and what it does and does not allow.

use super::{ACCOUNT, Limited, ORIGIN, expect_limited, limited};
use crate::prelude::*;

on_both_databases!(
    successful_login_sets_a_signed_cookie_that_names_no_user,
    an_attack_from_elsewhere_never_locks_the_owner_out,
    a_forged_cookie_or_one_of_another_account_gains_nothing,
    another_sites_form_gets_no_cookie_and_a_listed_page_does,
);

fn successful_login_sets_a_signed_cookie_that_names_no_user(service: Limited) {
    let (account, caller) = (service.customer(), service.caller());
    for (proto, secure) in [("https", true), ("http", false), ("", false)] {
        let call = caller.call("POST", "/auth/login").json(&credentials(&account));
        let reply = if proto.is_empty() { call } else { call.header("X-Forwarded-Proto", proto) }.send();
        let cookie = reply.header("Set-Cookie").expect("Set-Cookie");
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=34560000"] {
            assert!(attributes.contains(&attribute), "{cookie}");
        }
        assert_eq!(attributes.contains(&"Secure"), secure, "{proto}: {cookie}");
        assert!(!cookie.contains(account.email.split('@').next().unwrap()), "{cookie}");
        assert!(!service.flushed_log().text().contains(reply.cookie().split('=').nth(1).unwrap()));
        let again = caller.login(&account.email, &account.password).cookie();
        assert!(again.starts_with("portcullis_device=") && again != reply.cookie(), "each device has its own");
    }
    assert_eq!(caller.login(&account.email, "wrong").header("Set-Cookie"), None);
}

#[test]
fn device_cookie_is_secure_if_public_url_is_https() {
    for (public_url, secure) in [("https://auth.example.org", true), ("http://127.0.0.1:8000", false)] {
        let service = Backend::Sqlite.service().set("PUBLIC_URL", public_url).start();
        let account = service.account();
        let reply = service.login(&account.email, &account.password);
        let cookie = reply.header("Set-Cookie").expect("Set-Cookie");
        assert_eq!(cookie.split("; ").any(|attribute| attribute == "Secure"), secure, "{public_url}: {cookie}");
    }
}

fn an_attack_from_elsewhere_never_locks_the_owner_out(service: Limited) {
    let (account, attacker, mut owner) = (service.customer(), service.caller(), service.caller());
    owner.sign_in(&account);
    let replies = at_once(60, |number| match number % 6 {
        0 => owner.login(&account.email, &account.password),
        _ => attacker.login(&account.email, "wrong"),
    });
    let owners: Vec<_> = replies.iter().step_by(6).cloned().collect();
    assert_eq!(count(&owners, 200), 10);
    expect_limited(&attacker.login(&account.email, &account.password), "account", ACCOUNT);
    owner.login(&account.email, &account.password).expect(200);
    // A device has a budget of its own, which ends as well.
    owner.sign_in(&account);
    owner.spend(&account.email);
    expect_limited(&owner.login(&account.email, &account.password), "device", ACCOUNT);
}

fn a_forged_cookie_or_one_of_another_account_gains_nothing(service: Limited) {
    let (account, thief, caller) = (service.customer(), service.customer(), service.caller());
    let own = service.caller().login(&account.email, &account.password).cookie();
    let others = service.caller().login(&thief.email, &thief.password).cookie();
    caller.spend(&account.email);
    // Changes each part in turn; all stay well-formed.
    let parts: Vec<_> = own.strip_prefix("portcullis_device=").unwrap().split('.').collect();
    let [version, device, issued, password, signature] = parts[..] else { panic!("{own}") };
    let other = |part: &str| {
        let (rest, last) = part.split_at(part.len() - 1);
        format!("{rest}{}", if last == "0" { "1" } else { "0" })
    };
    for forged in [
        format!("{version}.{}.{issued}.{password}.{signature}", other(device)),
        format!("{version}.{device}.{}.{password}.{signature}", other(issued)),
        format!("{version}.{device}.{issued}.{}.{signature}", other(password)),
        format!("{version}.{device}.{issued}.{password}.{}", other(signature)),
        // Format of earlier releases, which was not bound to a password.
        format!("1.{device}.{issued}.{signature}"),
        String::new(),
        "1".to_owned(),
        parts.join(".").to_uppercase(),
        parts.join(".")[..50].to_owned(),
        format!("{}; {own}", parts.join(".")),
        others.strip_prefix("portcullis_device=").unwrap().to_owned(),
    ] {
        for email in [&account.email, &account.email.to_uppercase()] {
            let reply = caller.with(&format!("portcullis_device={forged}")).login(email, &account.password);
            expect_limited(&reply, "account", ACCOUNT);
        }
    }
    caller.with(&own).login(&account.email, &account.password).expect(200);
    // Without the password it allows nothing.
    caller.with(&own).login(&account.email, "wrong").wrong_credentials();
}

#[test]
fn a_cookie_survives_a_restart_and_not_a_new_secret() {
    let service = limited(Backend::Sqlite.service()).start();
    let account = service.account();
    let cookie = service.login(&account.email, &account.password).cookie();
    service.stop();
    for (setup, status) in [(service.again(), 200), (service.again().set("SECRET_KEY", &random_secret()), 429)] {
        let service = limited(setup).start();
        (0..10).for_each(|_| service.login(&account.email, "wrong password").wrong_credentials());
        service.login_from(&cookie, &account).has_status(status);
    }
}

fn another_sites_form_gets_no_cookie_and_a_listed_page_does(service: Limited) {
    let (account, caller) = (service.customer(), service.caller());
    let own = format!("http://{}", service.address);
    for (site, origin, kept) in [
        ("cross-site", "https://evil.example", false),
        ("same-site", "https://evil.example", false),
        ("", "https://evil.example", false),
        ("", "null", false),
        ("same-origin", own.as_str(), true),
        ("", own.as_str(), true),
    ] {
        let call = caller.call("POST", "/auth/login").header("Origin", origin);
        let call = if site.is_empty() { call } else { call.header("Sec-Fetch-Site", site) };
        let reply = call.fields(&account.as_form()).send();
        // The page of an origin that is not listed may send a form; CORS refuses it only other calls.
        reply.expect(200);
        assert_eq!(reply.header("Set-Cookie").is_some(), kept, "{site:?} {origin}");
    }
    let reply = caller.call("POST", "/auth/login").header("Origin", ORIGIN).json(&credentials(&account)).send();
    reply.cookie();
    assert_eq!(reply.header("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!(reply.header("Access-Control-Allow-Origin"), Some(ORIGIN), "never any origin");
}
