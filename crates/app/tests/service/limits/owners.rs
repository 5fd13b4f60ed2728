//! Ways for an owner to log in while an attacker guesses the password: a known device, a source that logged
//! in before, and a reset. All password checks share one budget.

use super::{ACCOUNT, Caller, Limited, expect_limited, limited};
use crate::prelude::*;

on_both_databases!(
    guesses_with_a_stolen_token_count_with_those_of_logins,
    a_source_that_signed_in_before_has_a_budget_of_its_own,
    a_reset_ends_the_wait_and_makes_the_browser_known,
);

const NEW: &str = "wrong donkey charger paperclip";

fn guesses_with_a_stolen_token_count_with_those_of_logins(service: Limited) {
    let (account, thief, mut owner) = (service.customer(), service.caller(), service.caller());
    let stolen = owner.sign_in(&account).access;
    let guesses = || {
        let wrong = json!({"password": "wrong", "new_email": "thief@example.net"});
        [
            thief.login(&account.email, "wrong"),
            thief.change(&stolen, "wrong", NEW),
            thief.send("POST", "/auth/email/change", Some(&stolen), &wrong),
            thief.send("DELETE", "/auth/me", Some(&stolen), &wrong),
        ]
    };
    (0..2).for_each(|_| guesses().iter().for_each(|reply| reply.wrong_credentials()));
    (0..2).for_each(|_| thief.login(&account.email, "wrong").wrong_credentials());
    guesses().iter().for_each(|reply| _ = expect_limited(reply, "account", ACCOUNT));
    expect_limited(&thief.change(&stolen, &account.password, NEW), "account", ACCOUNT);
    // From another IP address, only the cookie distinguishes the owner from the thief.
    let elsewhere = owner.at("203.0.113.5");
    let changed = elsewhere.change(&stolen, &account.password, NEW);
    changed.expect(200);
    // A cookie is good for one password.
    expect_limited(&elsewhere.login(&account.email, NEW), "account", ACCOUNT);
    elsewhere.with(&changed.cookie()).login(&account.email, NEW).expect(200);
}

fn a_source_that_signed_in_before_has_a_budget_of_its_own(backend: Backend) {
    let service = limited(backend.service()).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let account = service.account();
    let call = service.call("POST", "/auth/login").header("X-Forwarded-For", "192.0.2.1");
    call.json(&credentials(&account)).send().expect(200);
    // The limiter's memory ends with the process. The stored sessions remain.
    service.stop();
    let service = limited(service.again()).set("TRUSTED_PROXIES", "127.0.0.1").start();
    let attacker = Caller { service: &service, address: "198.51.100.7".to_owned(), cookie: None };
    let (home, email) = (attacker.at("192.0.2.1"), &account.email);
    let attack = || drop((0..12).map(|_| attacker.login(email, "wrong")).collect::<Vec<_>>());
    attack();
    for other in [&attacker, &attacker.at("192.0.2.2")] {
        expect_limited(&other.login(email, &account.password), "account", ACCOUNT);
    }
    for _ in 0..3 {
        home.login(email, &account.password).expect(200);
        attack();
    }
    home.spend(email);
    expect_limited(&home.login(email, &account.password), "account", ACCOUNT);
    // No source ever logged in to an account that does not exist.
    let nobody = fresh_email();
    attacker.spend(&nobody);
    expect_limited(&home.login(&nobody, "wrong"), "account", ACCOUNT);
}

fn a_reset_ends_the_wait_and_makes_the_browser_known(service: Limited) {
    for by_page in [false, true] {
        let (account, attacker, owner) = (service.customer(), service.caller(), service.caller());
        attacker.spend(&account.email);
        expect_limited(&owner.login(&account.email, &account.password), "account", ACCOUNT);
        let token = service.reset_token(&account, 2);
        let reset = if by_page {
            let form = [("token", token.as_str()), ("new_password", NEW), ("repetition", NEW)];
            owner.call("POST", "/account/reset").fields(&form).send()
        } else {
            owner.send("POST", "/auth/password/reset", None, &json!({"token": token, "new_password": NEW}))
        };
        reset.has_status(200);
        owner.login(&account.email, NEW).expect(200);
        (0..12).for_each(|_| drop(attacker.login(&account.email, "wrong")));
        owner.with(&reset.cookie()).at("203.0.113.5").login(&account.email, NEW).expect(200);
    }
}
