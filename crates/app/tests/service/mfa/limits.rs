//! `RATE_LIMIT_MFA`: guesses at a second factor. `guessing` lets a day pass.

use crate::harness::totp::Authenticator;
use crate::limits::{ACCOUNT, Caller, Limited, expect_limited, limited};
use crate::prelude::*;

on_both_databases!(
    c0_19_five_wrong_codes_are_looked_at_and_then_none,
    c0_19_all_places_and_kinds_count_together,
    c0_19_a_known_device_has_its_own,
    c0_19_a_success_is_refunded,
    c0_19_parallel_guesses_do_not_outrun_the_count,
    c0_12_reauthentication_counts_as_every_password_check,
    c1_25_a_right_password_is_no_failure_of_the_account,
    c0_20_a_source_pays_for_verify,
);

/// Checks for the 429 of guesses at a second factor, and returns the seconds to wait.
#[track_caller]
fn expect_spent(reply: &Reply) -> u64 {
    reply.expect_error(429, "RATE_LIMITED");
    let policy = reply.header("RateLimit-Policy").expect("RateLimit-Policy");
    assert!(policy.ends_with(";q=5;w=3600"), "{policy}");
    let seconds: u64 = reply.header("Retry-After").expect("Retry-After").parse().unwrap();
    assert!(reply.header("RateLimit").is_some_and(|left| left.ends_with(&format!(";r=0;t={seconds}"))), "{seconds}");
    seconds
}

impl Caller<'_> {
    fn challenge(&self, of: &Enrolled) -> String {
        self.login(&of.account.email, &of.account.password).mfa_token()
    }

    fn second(&self, mfa_token: &str, proof: &Value) -> Reply {
        let mut body = proof.clone();
        body["mfa_token"] = json!(mfa_token);
        self.send("POST", "/auth/mfa/verify", None, &body)
    }

    /// Shows a wrong code.
    fn guess(&self, of: &Enrolled) -> Reply {
        self.second(&self.challenge(of), &json!({"code": of.app.wrong()}))
    }

    /// Shows a right code.
    fn right(&self, of: &Enrolled) -> Reply {
        self.second(&self.challenge(of), &json!({"code": self.service.fresh_code(of)}))
    }
}

fn c0_19_five_wrong_codes_are_looked_at_and_then_none(service: Limited) {
    let [enrolled, other] = [service.enrolled(), service.enrolled()];
    let thief = service.caller();
    let token = thief.challenge(&enrolled);
    (0..5).for_each(|_| thief.second(&token, &json!({"code": enrolled.app.wrong()})).wrong_credentials());
    let code = service.fresh_code(&enrolled);
    let seconds = expect_spent(&thief.second(&token, &json!({"code": code})));
    assert!((50..=60).contains(&seconds), "the first wait is a minute: {seconds}");
    // Neither another token, another address nor a recovery code gets a look.
    for refused in [
        thief.second(&thief.challenge(&enrolled), &json!({"code": code})),
        thief.second(&token, &json!({"recovery_code": enrolled.codes[0]})),
    ] {
        expect_spent(&refused);
    }
    let refused = thief.second(&token, &json!({"code": code}));
    let events = service.log.of_request(refused.request_id());
    assert!(events.iter().any(|event| event["message"] == "Call limited" && event["budget"].is_string()), "{events:?}");
    thief.right(&other).expect(200);
}

fn c0_19_all_places_and_kinds_count_together(service: Limited) {
    let enrolled = service.enrolled();
    let (thief, account, access) = (service.caller(), &enrolled.account, &enrolled.pair.access);
    let begun = service.begin_factor(access).expect(201);
    let (path, app) = (
        format!("/auth/mfa/totp/{}/confirm", begun["id"].as_str().unwrap()),
        Authenticator::of(begun["secret"].as_str().unwrap()),
    );
    let token = thief.challenge(&enrolled);
    let places = |code: &str, recovery: &str, pending: &str| {
        let mut login = credentials(account);
        login["code"] = json!(code);
        [
            thief.second(&token, &json!({"code": code})),
            thief.second(&token, &json!({"recovery_code": recovery})),
            thief.send("POST", "/auth/login", None, &login),
            thief.send(
                "POST",
                "/auth/reauthenticate",
                Some(access),
                &json!({"password": account.password, "code": code}),
            ),
            thief.send("POST", &path, Some(access), &json!({"code": pending})),
        ]
    };
    let wrong = places(&enrolled.app.wrong(), "0000-0000-0000-0000", &app.wrong());
    wrong.iter().for_each(Reply::wrong_credentials);
    let right = places(&service.fresh_code(&enrolled), &enrolled.codes[0], &app.code());
    right.iter().for_each(|reply| _ = expect_spent(reply));
}

fn c0_19_a_known_device_has_its_own(service: Limited) {
    let enrolled = service.enrolled();
    let thief = service.caller();
    let owner = service.caller().with(&enrolled.cookie);
    (0..5).for_each(|_| thief.guess(&enrolled).wrong_credentials());
    expect_spent(&thief.right(&enrolled));
    owner.right(&enrolled).expect(200);
    (0..5).for_each(|_| owner.guess(&enrolled).wrong_credentials());
    expect_spent(&owner.right(&enrolled));
}

fn c0_19_a_success_is_refunded(service: Limited) {
    let enrolled = service.enrolled();
    let caller = service.caller();
    (0..4).for_each(|_| caller.guess(&enrolled).wrong_credentials());
    (0..6).for_each(|_| drop(caller.right(&enrolled).expect(200)));
    caller.guess(&enrolled).wrong_credentials();
    expect_spent(&caller.right(&enrolled));
}

fn c0_19_parallel_guesses_do_not_outrun_the_count(service: Limited) {
    let enrolled = service.enrolled();
    let caller = service.caller();
    let token = caller.challenge(&enrolled);
    let wrong = enrolled.app.wrong();
    let replies = at_once(50, |number| match number % 2 {
        0 => caller.second(&token, &json!({"code": wrong})),
        _ => caller.second(&token, &json!({"recovery_code": "0000-0000-0000-0000"})),
    });
    assert_eq!((count(&replies, 401), count(&replies, 429)), (5, 45));
}

fn c0_12_reauthentication_counts_as_every_password_check(service: Limited) {
    let account = service.customer();
    let (thief, stolen) = (service.caller(), service.sign_in(&account).access);
    let guess = || thief.send("POST", "/auth/reauthenticate", Some(&stolen), &json!({"password": "wrong"}));
    (0..5).for_each(|_| guess().wrong_credentials());
    (0..5).for_each(|_| thief.login(&account.email, "wrong").wrong_credentials());
    expect_limited(&guess(), "account", ACCOUNT);
    let right = thief.send("POST", "/auth/reauthenticate", Some(&stolen), &json!({"password": account.password}));
    expect_limited(&right, "account", ACCOUNT);
    expect_limited(&thief.login(&account.email, &account.password), "account", ACCOUNT);
}

fn c1_25_a_right_password_is_no_failure_of_the_account(service: Limited) {
    let enrolled = service.enrolled();
    let caller = service.caller();
    (0..15).for_each(|_| drop(caller.challenge(&enrolled)));
    caller.login(&enrolled.account.email, "wrong password").wrong_credentials();
    caller.right(&enrolled).expect(200);
}

fn c0_20_a_source_pays_for_verify(backend: Backend) {
    let service = limited(backend.service()).set("RATE_LIMIT_SOURCE", "5/24h").start();
    let verify = || service.post("/auth/mfa/verify", &json!({"mfa_token": "x", "code": "123456"}));
    (0..5).for_each(|_| verify().invalid());
    expect_limited(&verify(), "source", "q=5;w=86400");
    expect_limited(&service.login(&fresh_email(), "wrong"), "source", "q=5;w=86400");
}

#[test]
fn c0_19_the_budget_is_the_configured_one() {
    let service = limited(Backend::Sqlite.service()).set("RATE_LIMIT_MFA", "2/10m").start();
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    (0..2).for_each(|_| service.second(&token, &json!({"code": enrolled.app.wrong()})).wrong_credentials());
    let refused = service.second(&token, &json!({"code": service.fresh_code(&enrolled)}));
    refused.expect_error(429, "RATE_LIMITED");
    assert!(refused.header("RateLimit-Policy").unwrap().ends_with(";q=2;w=600"));
}
