//! The `mfa_token`: what it is, where it is accepted and for how long.

use crate::accounts::NEW;
use crate::prelude::*;

on_both_databases!(
    c1_13_it_names_its_use_and_the_session_it_may_begin,
    c1_13_it_is_accepted_nowhere_else,
    c1_13_no_other_token_is_accepted_at_verify,
    c1_13_it_begins_one_session,
    c1_13_it_dies_with_the_password_and_is_of_one_account,
    c1_27_a_refused_verify_spends_nothing,
);

/// Every route that takes a bearer token.
const BEARER: [(&str, &str); 18] = [
    ("GET", "/auth/me"),
    ("DELETE", "/auth/me"),
    ("POST", "/auth/logout-all"),
    ("GET", "/auth/sessions"),
    ("DELETE", "/auth/sessions/x"),
    ("GET", "/auth/sessions/x/events"),
    ("POST", "/auth/password/change"),
    ("POST", "/auth/email/change"),
    ("POST", "/auth/reauthenticate"),
    ("POST", "/auth/reauthenticate/options"),
    ("GET", "/auth/mfa"),
    ("PATCH", "/auth/mfa/totp/x"),
    ("DELETE", "/auth/mfa/totp/x"),
    ("POST", "/auth/mfa/recovery-codes"),
    ("GET", "/auth/mfa/devices"),
    ("DELETE", "/auth/mfa/devices"),
    ("DELETE", "/auth/mfa/devices/x"),
    ("POST", "/auth/email/verify"),
];

/// Those that also take the token of an enrolment.
const ENROLMENT: [(&str, &str); 2] = [("POST", "/auth/mfa/totp"), ("POST", "/auth/mfa/totp/x/confirm")];

/// Checks that a token is accepted by no bearer route, or by none besides those of an enrolment, and neither
/// refreshes nor logs out.
#[track_caller]
pub(super) fn expect_accepted_nowhere(service: &Service, token: &str, is_enrolment: bool) {
    let routes = ENROLMENT.iter().filter(|_| !is_enrolment).chain(&BEARER);
    for (method, path) in routes {
        // Valid for each of them, so that the token alone is wrong.
        let body = json!({
            "password": "x", "current_password": "x", "new_password": NEW, "new_email": fresh_email(), "code": "123456",
            "name": "x", "token": "0".repeat(64),
        });
        let call = service.call(method, path).bearer(token);
        let call = if *method == "GET" { call } else { call.json(&body) };
        call.send().invalid();
    }
    service.refresh(token).invalid();
    service.logout(token).invalid();
}

fn c1_13_it_names_its_use_and_the_session_it_may_begin(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    let claims = jose::claims(&token);
    assert_eq!((&claims["type"], &claims["sub"]), (&json!("mfa"), &json!(enrolled.account.id.to_string())));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    let (input, _) = token.rsplit_once('.').unwrap();
    assert_eq!(jose::signed_with(SECRET.as_bytes(), input), token);
    let pair = Pair::of(&service.second(&token, &json!({"code": service.fresh_code(&enrolled)})));
    assert_eq!(claims["sid"], pair.sid());
    assert_ne!(jose::claims(&service.challenge(&enrolled.account))["sid"], claims["sid"]);
}

fn c1_13_it_is_accepted_nowhere_else(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    expect_accepted_nowhere(service, &token, false);
    service.second(&token, &json!({"code": service.fresh_code(&enrolled)})).expect(200);
}

fn c1_13_no_other_token_is_accepted_at_verify(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    let cut = &token[..token.len() - 1];
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    let forged = jose::signed_with(random_secret().as_bytes(), token.rsplit_once('.').unwrap().0);
    let access = jose::changed(&enrolled.pair.access, "type", "mfa");
    let typeless = jose::token(&jose::without(&jose::claims(&token), "type"));
    let sidless = jose::token(&jose::without(&jose::claims(&token), "sid"));
    let (own, refresh) = (&enrolled.pair.access, &enrolled.pair.refresh);
    for other in ["", "x", cut, &unsigned, &forged, &access, &typeless, &sidless, own, refresh] {
        let code = service.fresh_code(&enrolled);
        let reply = service.second(other, &json!({"code": code}));
        reply.invalid();
        assert_eq!(reply.header("WWW-Authenticate"), None, "it is no bearer");
    }
}

fn c1_13_it_begins_one_session(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    let pair = Pair::of(&service.second(&token, &json!({"code": service.fresh_code(&enrolled)})));
    let again = || service.second(&token, &json!({"code": service.fresh_code(&enrolled)}));
    again().revoked();
    service.logout(&pair.refresh).expect(200);
    again().revoked();
    service.second(&token, &json!({"recovery_code": enrolled.codes[0]})).revoked();
}

fn c1_13_it_dies_with_the_password_and_is_of_one_account(service: &Service) {
    let [own, theirs] = [service.enrolled(), service.enrolled()];
    let token = service.challenge(&own.account);
    service.second(&token, &json!({"code": service.fresh_code(&theirs)})).wrong_credentials();
    service.second(&token, &json!({"recovery_code": theirs.codes[0]})).wrong_credentials();
    // A rehash keeps the password, and a new one does not.
    service.change_password(&own.pair.access, &own.account.password, NEW).expect(200);
    let code = service.fresh_code(&own);
    let reply = service.second(&token, &json!({"code": code}));
    assert!(
        ["AUTH_TOKEN_INVALID", "AUTH_TOKEN_REVOKED"].contains(&reply.expect(401)["error"]["code"].as_str().unwrap())
    );
    service.login_with(&own.account.with_password(NEW), &code).expect(200);
}

/// Using a code and beginning the session are one transaction.
fn c1_27_a_refused_verify_spends_nothing(service: &Service) {
    let enrolled = service.enrolled();
    let account = &enrolled.account;
    let spent = service.challenge(account);
    service.second(&spent, &json!({"recovery_code": enrolled.codes[0]})).expect(200);
    let code = service.fresh_code(&enrolled);
    service.second(&spent, &json!({"code": code})).revoked();
    service.second(&spent, &json!({"recovery_code": enrolled.codes[1]})).revoked();
    let open = service.challenge(account);
    service.disable(account);
    for proof in [json!({"code": code}), json!({"recovery_code": enrolled.codes[1]})] {
        assert_eq!(service.second(&open, &proof).status, 401);
    }
    service.set_user(account, "is_active = TRUE");
    service.second(&open, &json!({"code": code})).expect(200);
    service.login_with(account, &enrolled.codes[1]).expect(200);
}
