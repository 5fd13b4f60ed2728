//! Recent authentication and `POST /auth/reauthenticate`. `clock` tests the ten minutes.

use crate::prelude::*;

on_both_databases!(
    c0_3_what_needs_recent_authentication_says_so,
    c0_9_what_needs_none_goes_on,
    c0_9_a_session_of_unknown_authentication_is_not_recent,
    c0_10_the_options_name_the_methods,
    c0_11_reauthentication_gives_an_access_token_of_the_same_session,
    c0_11_a_wrong_proof_is_invalid_credentials,
    c1_23_an_account_with_a_factor_shows_both,
    c0_11_members_are_checked,
);

/// Calls that need recent authentication, for an account with a factor.
fn guarded(service: &Service, of: &Enrolled, access: &str) -> [Reply; 3] {
    [service.begin_factor(access), service.new_recovery_codes(access), service.remove_factor(access, &of.factor)]
}

fn c0_3_what_needs_recent_authentication_says_so(service: &Service) {
    let enrolled = service.enrolled();
    let access = &enrolled.pair.access;
    service.authenticated_earlier(&enrolled.pair, 660);
    let options = service.ask("POST", "/auth/reauthenticate/options", access).expect(200);
    for reply in guarded(service, &enrolled, access) {
        let details = reply.step_up();
        assert_eq!(members(&details), ["max_age", "methods"]);
        assert_eq!((&details["max_age"], &details["methods"]), (&json!(600), &options["methods"]));
        let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"";
        assert_eq!(reply.header("WWW-Authenticate"), Some(challenge));
    }
    let (_, plain) = service.session();
    service.authenticated_earlier(&plain, 660);
    assert_eq!(service.begin_factor(&plain.access).step_up()["methods"], json!(["password"]));
    // Both factors let it in, with either access token of the session.
    let proof = json!({"password": enrolled.account.password, "code": service.fresh_code(&enrolled)});
    let lifted = service.reauthenticate(access, &proof).expect(200);
    service.new_recovery_codes(lifted["access_token"].as_str().unwrap()).expect(200);
    service.new_recovery_codes(access).expect(200);
    let renewed = service.renewed(&enrolled.pair);
    service.remove_factor(&renewed.access, &enrolled.factor).has_status(204);
}

#[test]
fn c0_3_the_age_is_the_configured_one() {
    let service = Backend::Sqlite.service().set("STEP_UP_MINUTES", "1").start();
    let (_, pair) = service.session();
    service.authenticated_earlier(&pair, 30);
    service.begin_factor(&pair.access).expect(201);
    service.authenticated_earlier(&pair, 90);
    let reply = service.begin_factor(&pair.access);
    assert_eq!(reply.step_up()["max_age"], 60);
    assert!(reply.header("WWW-Authenticate").unwrap().ends_with(", max_age=\"60\""));
}

fn c0_9_what_needs_none_goes_on(service: &Service) {
    let (_, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    service.authenticated_earlier(&pair, 86_400);
    let app = crate::harness::totp::Authenticator::of(begun["secret"].as_str().unwrap());
    let id = begun["id"].as_str().unwrap();
    service.confirm_factor(&pair.access, id, &app.code()).expect(200);
    // A confirmation counts as a second-factor authentication of that session.
    service.new_recovery_codes(&pair.access).expect(200);
    service.authenticated_earlier(&pair, 86_400);
    service.factors(&pair.access);
    service.ask("GET", "/auth/mfa/devices", &pair.access).expect(200);
    service.ask("DELETE", "/auth/mfa/devices", &pair.access).has_status(204);
    service.ask("GET", "/auth/sessions", &pair.access).expect(200);
    service.me(&service.renewed(&pair).access).expect(200);
}

/// Rows of earlier releases and of the FastAPI application have no time.
fn c0_9_a_session_of_unknown_authentication_is_not_recent(service: &Service) {
    let (account, pair) = service.session();
    let unknown = format!("UPDATE sessions SET authenticated_at = NULL WHERE sid = '{}'", pair.sid());
    service.database.execute(&unknown);
    service.begin_factor(&pair.access).step_up();
    service.reauthenticate(&pair.access, &json!({"password": account.password})).expect(200);
    service.begin_factor(&pair.access).expect(201);
}

fn c0_10_the_options_name_the_methods(service: &Service) {
    let options = |access: &str| service.ask("POST", "/auth/reauthenticate/options", access).expect(200);
    let (_, pair) = service.session();
    assert_eq!(options(&pair.access), json!({"methods": ["password"]}));
    let enrolled = service.enrolled();
    assert_eq!(options(&enrolled.pair.access), json!({"methods": ["password", "totp"]}));
}

fn c0_11_reauthentication_gives_an_access_token_of_the_same_session(service: &Service) {
    let (account, pair) = service.session();
    let enrolled = service.enrolled();
    let both = json!({"password": enrolled.account.password, "code": service.fresh_code(&enrolled)});
    for (pair, proof) in [(&pair, json!({"password": account.password})), (&enrolled.pair, both)] {
        let reply = service.reauthenticate(&pair.access, &proof);
        let body = reply.expect(200);
        assert_eq!(members(&body), ["access_token", "expires_in", "token_type"]);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(900)));
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
        let access = body["access_token"].as_str().unwrap();
        let (before, after) = (jose::claims(&pair.access), jose::claims(access));
        assert_eq!((&after["sid"], &after["sub"]), (&before["sid"], &before["sub"]));
        assert_ne!(after["jti"], before["jti"]);
        assert!((after["auth_time"].as_i64().unwrap() - unix_now()).abs() < 60, "{after}");
        service.me(access).expect(200);
        service.me(&pair.access).expect(200);
        service.renewed(pair);
    }
    assert_eq!(service.rows_of(&account, "sessions"), 1, "no session began");
}

fn c0_11_a_wrong_proof_is_invalid_credentials(service: &Service) {
    let (_, pair) = service.session();
    let reply = service.reauthenticate(&pair.access, &json!({"password": "wrong password"}));
    reply.wrong_credentials();
    assert_eq!(reply.header("WWW-Authenticate"), None, "the bearer is as good as before");
    service.authenticated_earlier(&pair, 660);
    service.reauthenticate(&pair.access, &json!({"password": "wrong password"})).wrong_credentials();
    service.begin_factor(&pair.access).step_up();
}

fn c1_23_an_account_with_a_factor_shows_both(service: &Service) {
    let enrolled = service.enrolled();
    let (account, access) = (&enrolled.account, &enrolled.pair.access);
    service.authenticated_earlier(&enrolled.pair, 660);
    let shown =
        |password: &str, code: &str| service.reauthenticate(access, &json!({"password": password, "code": code}));
    service.reauthenticate(access, &json!({"password": account.password})).wrong_credentials();
    shown(&account.password, &enrolled.app.wrong()).wrong_credentials();
    let code = service.fresh_code(&enrolled);
    shown("wrong password", &code).wrong_credentials();
    service.new_recovery_codes(access).step_up();
    shown(&account.password, &code).expect(200);
    shown(&account.password, &code).wrong_credentials();
    shown(&account.password, &enrolled.codes[0].to_lowercase()).expect(200);
    shown(&account.password, &enrolled.codes[0]).wrong_credentials();
    assert_eq!(service.factors(access)["recovery_codes_left"], 9);
}

fn c0_11_members_are_checked(service: &Service) {
    let (account, pair) = service.session();
    for body in [json!({}), json!({"code": "123456"}), json!({"password": 5})] {
        service.reauthenticate(&pair.access, &body).expect_error(422, "VALIDATION_ERROR");
    }
    // Without a factor the code is ignored, as at a login.
    service.reauthenticate(&pair.access, &json!({"password": account.password, "code": "x"})).expect(200);
}
