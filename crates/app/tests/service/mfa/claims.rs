//! `auth_time` and `amr` in tokens (RFC 8176).

use crate::prelude::*;

on_both_databases!(
    c0_7_a_session_of_a_password_alone_has_neither_claim,
    c0_7_a_session_of_two_factors_has_both_in_both_tokens,
    c0_7_a_refresh_copies_them_and_a_retry_is_the_same_pair,
    c0_8_always_adds_them_to_every_session,
);

/// Returns the two claims, or nothing.
fn told(token: &str) -> Option<(i64, Value)> {
    let claims = jose::claims(token);
    let told = claims.get("auth_time").map(|time| (time.as_i64().expect("integer seconds"), claims["amr"].clone()));
    assert_eq!(told.is_some(), claims.get("amr").is_some(), "{claims}");
    told
}

#[track_caller]
fn expect_told(pair: &Pair, amr: &[&str]) {
    let (time, told_amr) = told(&pair.access).expect("claims");
    assert_eq!(told_amr, json!(amr));
    assert!((0..60).contains(&(unix_now() - time)), "{time}");
    assert_eq!(told(&pair.refresh), told(&pair.access));
}

const BOTH: [&str; 3] = ["pwd", "otp", "mfa"];

fn c0_7_a_session_of_a_password_alone_has_neither_claim(service: &Service) {
    let enrolled = service.enrolled();
    for token in [&enrolled.pair.access, &enrolled.pair.refresh, &service.renewed(&enrolled.pair).access] {
        assert_eq!(told(token), None);
    }
}

fn c0_7_a_session_of_two_factors_has_both_in_both_tokens(service: &Service) {
    let enrolled = service.enrolled();
    expect_told(&service.sign_in_fully(&enrolled), &BOTH);
    expect_told(&Pair::of(&service.login_with(&enrolled.account, &enrolled.codes[0])), &BOTH);
    for proof in [json!({"code": service.fresh_code(&enrolled)}), json!({"recovery_code": enrolled.codes[1]})] {
        expect_told(&Pair::of(&service.second(&service.challenge(&enrolled.account), &proof)), &BOTH);
    }
    let proof = json!({"password": enrolled.account.password, "code": service.fresh_code(&enrolled)});
    let lifted = service.reauthenticate(&enrolled.pair.access, &proof).expect(200);
    assert_eq!(told(lifted["access_token"].as_str().unwrap()).expect("claims").1, json!(BOTH));
}

/// `clock` tests that time passes between them.
fn c0_7_a_refresh_copies_them_and_a_retry_is_the_same_pair(service: &Service) {
    let first = service.sign_in_fully(&service.enrolled());
    let second = Pair::of(&service.refresh_with(&first.refresh, "a-key"));
    assert_eq!(told(&second.access), told(&first.access));
    let again = Pair::of(&service.refresh_with(&first.refresh, "a-key"));
    for (one, other) in [(&second.access, &again.access), (&second.refresh, &again.refresh)] {
        assert_eq!(jose::claims(one), jose::claims(other));
    }
    assert_eq!(told(&service.renewed(&second).refresh), told(&first.access));
}

fn c0_8_always_adds_them_to_every_session(backend: Backend) {
    let service = backend.service().set("AUTH_CLAIMS", "always").start();
    let (account, pair) = service.session();
    expect_told(&pair, &["pwd"]);
    expect_told(&service.renewed(&pair), &["pwd"]);
    let enrolled = service.enrol(account);
    expect_told(&service.sign_in_fully(&enrolled), &BOTH);
}
