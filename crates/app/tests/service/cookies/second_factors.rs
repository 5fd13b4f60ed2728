//! Second factors in cookie mode: a login in two steps, enrolments, authentication again, trusted devices.

use super::issuing::expect_forgotten;
use super::*;
use crate::harness::totp::Authenticator;

on_both_databases!(
    c4_30_a_login_in_two_steps_ends_with_cookies,
    c4_30_remember_counts_at_the_step_that_sets_cookies,
    c4_30_the_last_recovery_code_brings_new_ones_in_the_body,
    c4_30_factors_are_managed_by_cookie_alone,
    c4_30_a_required_enrolment_ends_with_cookies,
    c4_30_a_trusted_device_is_known_by_the_hosts_own_cookie,
);

/// Returns a browser that has logged in with the password of an enrolled account, and the token for the second
/// step.
#[track_caller]
fn challenged<'a>(service: &'a Service, of: &Enrolled) -> (Browser<'a>, String) {
    let mut browser = Browser::new(service, OWN);
    let reply = browser.log_in(&of.account);
    reply.sets_nothing();
    (browser, reply.mfa_token())
}

fn c4_30_a_login_in_two_steps_ends_with_cookies(tls: Tls) {
    let service = tls.0;
    let enrolled = service.enrolled();
    let (mut browser, token) = challenged(service, &enrolled);
    let proof = |code: &str| json!({"mfa_token": token, "code": code});
    browser.post("/auth/mfa/verify", &proof(&enrolled.app.wrong())).sets_nothing().wrong_credentials();
    let foreign = browser.bare("POST", "/auth/mfa/verify").header(HEADER.0, HEADER.1).header("Origin", FOREIGN);
    foreign.json(&proof(&service.fresh_code(&enrolled))).send().cross_site();
    let verified = browser.post("/auth/mfa/verify", &proof(&service.fresh_code(&enrolled)));
    assert_eq!(verified.in_cookies(), json!({"token_type": "cookie", "expires_in": 900}));
    assert_eq!(verified.cookies().len(), 3, "the tokens and the device");
    assert_eq!(jose::claims(&browser.value("access"))["amr"], json!(["pwd", "otp", "mfa"]));
    browser.me().expect(200);
    browser.refresh().in_cookies();
    // Without the header, from the same browser.
    let token = browser.bare("POST", "/auth/login").json(&credentials(&enrolled.account)).send().mfa_token();
    let proof = json!({"mfa_token": token, "code": service.fresh_code(&enrolled)});
    let reply = browser.bare("POST", "/auth/mfa/verify").json(&proof).send();
    Pair::of(&reply);
    assert!(!reply.cookies().iter().any(SetCookie::holds_token));
    // In one step.
    let mut body = credentials(&enrolled.account);
    body["code"] = json!(service.fresh_code(&enrolled));
    Browser::new(service, OWN).post("/auth/login", &body).in_cookies();
}

fn c4_30_remember_counts_at_the_step_that_sets_cookies(tls: Tls) {
    let service = tls.0;
    let enrolled = service.enrolled();
    let (mut browser, token) = challenged(service, &enrolled);
    let mut proof = json!({"mfa_token": token, "code": service.fresh_code(&enrolled), "remember": "no"});
    browser.post("/auth/mfa/verify", &proof).sets_nothing().expect_fields(&["remember"]);
    proof["remember"] = json!(false);
    expect_forgotten(&browser.post("/auth/mfa/verify", &proof), true);
    expect_forgotten(&browser.refresh(), true);
    let (mut browser, token) = challenged(service, &enrolled);
    let proof = json!({"mfa_token": token, "code": service.fresh_code(&enrolled)});
    expect_forgotten(&browser.post("/auth/mfa/verify", &proof), false);
}

fn c4_30_the_last_recovery_code_brings_new_ones_in_the_body(tls: Tls) {
    let service = tls.0;
    let enrolled = service.enrolled();
    let (last, rest) = enrolled.codes.split_last().unwrap();
    rest.iter().for_each(|code| drop(service.login_with(&enrolled.account, code).expect(200)));
    let (mut browser, token) = challenged(service, &enrolled);
    let body = browser.post("/auth/mfa/verify", &json!({"mfa_token": token, "recovery_code": last})).in_cookies();
    assert_eq!(members(&body), ["expires_in", "recovery_codes", "token_type"]);
    assert_eq!(body["recovery_codes"].as_array().unwrap().len(), 10);
}

fn c4_30_factors_are_managed_by_cookie_alone(tls: Tls) {
    let service = tls.0;
    let (account, mut browser) = tls.session();
    let begun = browser.post("/auth/mfa/totp", &json!({})).expect(201);
    let app = Authenticator::of(begun["secret"].as_str().unwrap());
    let path = format!("/auth/mfa/totp/{}", begun["id"].as_str().unwrap());
    // The session goes on, so there are no new tokens.
    let before = browser.pair();
    let confirmed = browser.post(&format!("{path}/confirm"), &json!({"code": app.code()}));
    assert_eq!(members(&confirmed.expect(200)), ["factor", "recovery_codes", "sessions_ended"]);
    assert!(!confirmed.cookies().iter().any(SetCookie::holds_token), "{:?}", confirmed.cookies());
    assert_eq!(browser.pair().refresh, before.refresh);
    browser.call("PATCH", &path).json(&json!({"name": "phone"})).send().sets_nothing().expect(200);
    let codes = browser.post("/auth/mfa/recovery-codes", &Value::Null);
    assert_eq!(members(&codes.sets_nothing().expect(200)), ["recovery_codes"]);
    // Authentication again, with both factors.
    service.authenticated_earlier(&before, 3600);
    browser.call("DELETE", &path).send().sets_nothing().step_up();
    service.database.execute(&format!("UPDATE totp_factors SET last_step = 0 WHERE user_id = {}", account.id));
    let again = browser.post("/auth/reauthenticate", &json!({"password": account.password, "code": app.code()}));
    assert_eq!(again.expect(200), json!({"token_type": "cookie", "expires_in": 900}));
    assert_eq!(again.cookies().len(), 1, "the access token alone");
    browser.call("DELETE", &path).send().sets_nothing().has_status(204);
    browser.refresh().in_cookies();
}

fn c4_30_a_required_enrolment_ends_with_cookies(backend: Backend) {
    let service = cookie_mode(backend.service(), OWN).set("MFA_REQUIRED", "true").start();
    for (remember, forgotten) in [(json!(true), false), (json!(false), true)] {
        let (account, mut browser) = (service.account(), Browser::new(&service, OWN));
        let token = browser.log_in(&account).sets_nothing().enrolment_token();
        let begun = browser.call("POST", "/auth/mfa/totp").bearer(&token).json(&json!({})).send().expect(201);
        let app = Authenticator::of(begun["secret"].as_str().unwrap());
        let path = format!("/auth/mfa/totp/{}/confirm", begun["id"].as_str().unwrap());
        let call = browser.call("POST", &path).bearer(&token).json(&json!({"code": app.code(), "remember": remember}));
        let confirmed = browser.send(call);
        let body = confirmed.in_cookies();
        let expected = ["expires_in", "factor", "recovery_codes", "sessions_ended", "token_type"];
        assert_eq!(members(&body), expected);
        expect_forgotten(&confirmed, forgotten);
        browser.me().expect(200);
        expect_forgotten(&browser.refresh(), forgotten);
    }
}

fn c4_30_a_trusted_device_is_known_by_the_hosts_own_cookie(backend: Backend) {
    let service = cookie_mode(backend.service(), OWN).set("MFA_TRUST_DAYS", "30").start();
    let enrolled = service.enrolled();
    let (mut browser, token) = challenged(&service, &enrolled);
    let code = service.fresh_code(&enrolled);
    let proof = json!({"mfa_token": token, "code": code, "remember_device": true});
    browser.post("/auth/mfa/verify", &proof).in_cookies();
    assert_eq!(browser.name("device"), "__Host-portcullis_device");
    let devices = browser.bare("GET", "/auth/mfa/devices").send().expect(200);
    assert_eq!(devices["devices"][0]["current"], true);
    browser.call("POST", "/auth/logout").send().expect(200);
    browser.log_in(&enrolled.account).in_cookies();
    browser.without("device").call("POST", "/auth/login").json(&credentials(&enrolled.account)).send().mfa_token();
}
