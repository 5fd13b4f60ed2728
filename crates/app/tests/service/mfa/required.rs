//! `MFA_REQUIRED`: an account without a second factor sets one up before its first session.

use super::mfa_tokens::expect_accepted_nowhere;
use crate::harness::totp::Authenticator;
use crate::prelude::*;

on_both_databases!(
    c0_2_a_login_without_a_factor_is_told_to_set_one_up,
    c1_18_its_token_is_good_for_an_enrolment_alone,
    c1_18_confirming_gives_the_login_response,
    c1_26_the_tokens_of_verify_and_enrolment_are_not_interchangeable,
    c1_26_its_token_dies_once_the_account_has_a_factor,
    c1_30_the_last_factor_stays,
    c1_30_sessions_from_before_go_on,
);

/// Service that requires a second factor, which tests share.
struct Strict(&'static Service);

impl Fixture for Strict {
    fn on(backend: Backend) -> Self {
        static SHARED: Shared = Shared::new();
        Self(SHARED.on(backend, |setup| setup.set("MFA_REQUIRED", "true")))
    }
}

impl Strict {
    fn token(&self, account: &Account) -> String {
        self.0.login(&account.email, &account.password).enrolment_token()
    }

    /// Begins an enrolment with its token.
    #[track_caller]
    fn begin(&self, token: &str) -> (String, Authenticator) {
        let begun = self.0.begin_factor(token).expect(201);
        (begun["id"].as_str().unwrap().to_owned(), Authenticator::of(begun["secret"].as_str().unwrap()))
    }

    /// Sets up a factor for an account that has none.
    #[track_caller]
    fn enrol(&self, account: Account) -> Enrolled {
        let token = self.token(&account);
        let (factor, app) = self.begin(&token);
        let reply = self.0.confirm_factor(&token, &factor, &app.code());
        let codes = crate::harness::mfa::texts(&reply.expect(200)["recovery_codes"]);
        Enrolled { account, app, factor, codes, pair: Pair::of(&reply), cookie: reply.cookie() }
    }
}

fn c0_2_a_login_without_a_factor_is_told_to_set_one_up(Strict(service): Strict) {
    let account = service.account();
    let form = || service.call("POST", "/auth/login").fields(&account.as_form()).send();
    for reply in [service.login(&account.email, &account.password), form(), service.login_with(&account, "123456")] {
        let details = reply.expect_error(403, "AUTH_MFA_ENROLMENT_REQUIRED");
        assert_eq!(members(&details), ["expires_in", "mfa_token"]);
        assert_eq!((&details["expires_in"], reply.header("Cache-Control")), (&json!(600), Some("no-store")));
        assert_eq!(reply.header("Set-Cookie"), None);
        let claims = jose::claims(details["mfa_token"].as_str().unwrap());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    }
    assert_eq!(service.rows_of(&account, "sessions"), 0);
    service.login(&account.email, "wrong password").wrong_credentials();
}

fn c1_18_its_token_is_good_for_an_enrolment_alone(strict: Strict) {
    let service = strict.0;
    let account = service.account();
    let token = strict.token(&account);
    expect_accepted_nowhere(service, &token, true);
    let (id, app) = strict.begin(&token);
    service.confirm_factor(&token, &id, &app.wrong()).wrong_credentials();
    service.confirm_factor(&token, "x", &app.code()).not_found();
    service.confirm_factor(&token, &id, &app.code()).expect(200);
}

fn c1_18_confirming_gives_the_login_response(strict: Strict) {
    let service = strict.0;
    let account = service.account();
    let token = strict.token(&account);
    let (id, app) = strict.begin(&token);
    let reply = service.confirm_factor(&token, &id, &app.code());
    let body = reply.expect(200);
    let names =
        ["access_token", "expires_in", "factor", "recovery_codes", "refresh_token", "sessions_ended", "token_type"];
    assert_eq!(members(&body), names);
    assert_eq!((&body["sessions_ended"], &body["expires_in"]), (&json!(0), &json!(900)));
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    reply.cookie();
    let pair = Pair::of(&reply);
    let claims = jose::claims(&pair.access);
    assert_eq!((&claims["amr"], &claims["sid"]), (&json!(["pwd", "otp", "mfa"]), &jose::claims(&token)["sid"]));
    assert_eq!(service.rows_of(&account, "sessions"), 1);
    // It is a recent authentication with a second factor.
    service.new_recovery_codes(&pair.access).expect(200);
    service.renewed(&pair);
    service.challenge(&account);
}

fn c1_26_the_tokens_of_verify_and_enrolment_are_not_interchangeable(strict: Strict) {
    let service = strict.0;
    let account = service.account();
    let token = strict.token(&account);
    service.second(&token, &json!({"code": "123456"})).invalid();
    service.second(&token, &json!({"recovery_code": "0000-0000-0000-0000"})).invalid();
    let enrolled = strict.enrol(account);
    let token = service.challenge(&enrolled.account);
    service.begin_factor(&token).invalid();
    service.confirm_factor(&token, &enrolled.factor, &service.fresh_code(&enrolled)).invalid();
    service.second(&token, &json!({"code": service.fresh_code(&enrolled)})).expect(200);
}

fn c1_26_its_token_dies_once_the_account_has_a_factor(strict: Strict) {
    let service = strict.0;
    // The owner has a session from before the switch; the thief of the password has a token.
    let account = service.account();
    let before = service.again().start();
    let own = before.sign_in(&account);
    let stolen = [strict.token(&account), strict.token(&account)];
    let (theirs, app) = strict.begin(&stolen[0]);
    before.add_factor(&own.access);
    for token in &stolen {
        service.begin_factor(token).revoked();
        service.confirm_factor(token, &theirs, &app.code()).revoked();
    }
    // Nor does what was begun with it become a factor later.
    service.confirm_factor(&own.access, &theirs, &app.code()).not_found();
    assert_eq!(service.factors(&own.access)["factors"].as_array().unwrap().len(), 1);
    // The token that did set up a factor is spent as well.
    let account = service.account();
    let token = strict.token(&account);
    let (id, app) = strict.begin(&token);
    service.confirm_factor(&token, &id, &app.code()).expect(200);
    service.confirm_factor(&token, &id, &app.at(unix_now() + 30)).revoked();
    service.begin_factor(&token).revoked();
}

fn c1_30_the_last_factor_stays(strict: Strict) {
    let service = strict.0;
    let enrolled = strict.enrol(service.account());
    let access = &enrolled.pair.access;
    service.remove_factor(access, &enrolled.factor).conflict("mfa_required");
    let (_, second, _) = service.add_factor(access);
    service.remove_factor(access, &enrolled.factor).has_status(204);
    service.remove_factor(access, &second).conflict("mfa_required");
    assert_eq!(service.factors(access)["enabled"], true);
}

fn c1_30_sessions_from_before_go_on(backend: Backend) {
    let before = backend.service().start();
    let (account, pair) = before.session();
    before.stop();
    let service = before.again().set("MFA_REQUIRED", "true").start();
    service.me(&pair.access).expect(200);
    let next = service.renewed(&pair);
    service.login(&account.email, &account.password).enrolment_token();
    let (_, _, confirmed) = service.add_factor(&next.access);
    assert!(confirmed.get("access_token").is_none(), "{confirmed}");
    service.renewed(&next);
}
