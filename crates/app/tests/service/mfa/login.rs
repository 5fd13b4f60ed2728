//! Login of an account with a second factor: `POST /auth/login` and `POST /auth/mfa/verify`.

use crate::harness::mfa::texts;
use crate::prelude::*;

on_both_databases!(
    c0_1_a_right_password_alone_is_answered_with_a_challenge,
    c0_1_a_problem_document_has_the_details_too,
    c1_11_a_login_may_bring_its_code,
    c1_11_a_refusal_does_not_say_which_of_the_two_was_wrong,
    c1_11_a_code_without_a_factor_is_ignored,
    c1_12_verify_gives_the_login_response,
    c1_12_a_wrong_code_leaves_the_token_good,
    c1_12_members_are_checked,
    c1_14_the_last_recovery_code_brings_ten_new_ones,
);

const PAIR: [&str; 4] = ["access_token", "expires_in", "refresh_token", "token_type"];

fn form(service: &Service, account: &Account, code: Option<&str>) -> Reply {
    let mut fields = account.as_form().to_vec();
    fields.extend(code.map(|code| ("code", code)));
    service.call("POST", "/auth/login").fields(&fields).send()
}

fn c0_1_a_right_password_alone_is_answered_with_a_challenge(service: &Service) {
    let Enrolled { account, .. } = service.enrolled();
    let sessions = service.rows_of(&account, "sessions");
    for reply in [service.login(&account.email, &account.password), form(service, &account, None)] {
        let details = reply.expect_error(403, "AUTH_MFA_REQUIRED");
        assert_eq!(members(&details), ["expires_in", "methods", "mfa_token"]);
        assert_eq!((&details["expires_in"], &details["methods"]), (&json!(300), &json!(["totp", "recovery_code"])));
        assert_eq!(reply.header("Cache-Control"), Some("no-store"), "it bears a token");
        assert_eq!((reply.header("Set-Cookie"), reply.header("WWW-Authenticate")), (None, None));
    }
    assert_eq!(service.rows_of(&account, "sessions"), sessions, "no session began");
    service.login(&account.email, "wrong password").wrong_credentials();
}

fn c0_1_a_problem_document_has_the_details_too(service: &Service) {
    let Enrolled { account, .. } = service.enrolled();
    let call = service.call("POST", "/auth/login").header("Accept", "application/problem+json");
    let reply = call.json(&credentials(&account)).send();
    let problem = reply.expect(403);
    assert_eq!(reply.header("Content-Type"), Some("application/problem+json"));
    assert_eq!(problem["code"], "AUTH_MFA_REQUIRED");
    let token = problem["details"]["mfa_token"].as_str().or(problem["mfa_token"].as_str());
    service.second(token.expect("mfa_token"), &json!({"code": "000000"})).wrong_credentials();
}

fn c1_11_a_login_may_bring_its_code(service: &Service) {
    let enrolled = service.enrolled();
    let account = &enrolled.account;
    for reply in [
        service.login_with(account, &service.fresh_code(&enrolled)),
        service.login_with(account, &enrolled.codes[0]),
        form(service, account, Some(&service.fresh_code(&enrolled))),
        form(service, account, Some(&enrolled.codes[1])),
    ] {
        assert_eq!(members(&reply.expect(200)), PAIR);
        reply.cookie();
        service.me(&Pair::of(&reply).access).expect(200);
    }
    assert_eq!(service.factors(&enrolled.pair.access)["recovery_codes_left"], 8);
}

fn c1_11_a_refusal_does_not_say_which_of_the_two_was_wrong(service: &Service) {
    let enrolled = service.enrolled();
    let (account, wrong) = (&enrolled.account, enrolled.account.with_password("wrong password"));
    let used = service.fresh_code(&enrolled);
    service.login_with(account, &used).expect(200);
    service.login_with(account, &enrolled.codes[0]).expect(200);
    let plain = service.login(&account.email, "wrong password").seen();
    let codes = [used.as_str(), &enrolled.codes[0], &enrolled.app.wrong(), "12345", "abcdef", "0000-0000-0000-0000"];
    for code in codes {
        for reply in [service.login_with(account, code), form(service, account, Some(code))] {
            reply.wrong_credentials();
            assert_eq!(reply.seen(), plain, "{}", reply.request);
        }
    }
    // Nor does a wrong password use the code up.
    let code = service.fresh_code(&enrolled);
    for code in [code.as_str(), &enrolled.codes[1]] {
        assert_eq!(service.login_with(&wrong, code).seen(), plain);
        service.login_with(account, code).expect(200);
    }
}

fn c1_11_a_code_without_a_factor_is_ignored(service: &Service) {
    let (account, pair) = service.session();
    service.begin_factor(&pair.access).expect(201);
    for code in ["123456", "abc", "0000-0000-0000-0000", &"9".repeat(1000)] {
        service.login_with(&account, code).expect(200);
        form(service, &account, Some(code)).expect(200);
        service.login_with(&account.with_password("wrong"), code).wrong_credentials();
    }
}

fn c1_12_verify_gives_the_login_response(service: &Service) {
    let enrolled = service.enrolled();
    for proof in [json!({"code": service.fresh_code(&enrolled)}), json!({"recovery_code": enrolled.codes[0]})] {
        let reply = service.second(&service.challenge(&enrolled.account), &proof);
        assert_eq!(members(&reply.expect(200)), PAIR);
        assert_eq!(reply.expect(200)["expires_in"], 900);
        assert_eq!(
            (reply.expect(200)["token_type"].as_str(), reply.header("Cache-Control")),
            (Some("bearer"), Some("no-store"))
        );
        reply.cookie();
        service.renewed(&Pair::of(&reply));
    }
    let factor = &service.factors(&enrolled.pair.access)["factors"][0];
    assert!(factor["last_used_at"].as_str().unwrap().ends_with('Z'), "{factor}");
}

fn c1_12_a_wrong_code_leaves_the_token_good(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
    let used = service.fresh_code(&enrolled);
    service.login_with(&enrolled.account, &used).expect(200);
    for proof in [
        json!({"code": enrolled.app.wrong()}),
        json!({"code": used}),
        json!({"code": "12345"}),
        json!({"recovery_code": enrolled.codes[0]}),
        json!({"recovery_code": "0000-0000-0000-0000"}),
        json!({"recovery_code": "nonsense"}),
    ] {
        service.second(&token, &proof).wrong_credentials();
    }
    service.second(&token, &json!({"code": service.fresh_code(&enrolled)})).expect(200);
}

fn c1_12_members_are_checked(service: &Service) {
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    for body in [
        json!({}),
        json!({"code": ""}),
        json!({"code": 123_456}),
        json!({"recovery_code": []}),
        json!({"remember_device": true}),
    ] {
        service.second(&token, &body).expect_error(422, "VALIDATION_ERROR");
    }
    service.post("/auth/mfa/verify", &json!({"code": "123456"})).expect_fields(&["mfa_token"]);
    let mut body = credentials(&enrolled.account);
    body["code"] = json!(123_456);
    service.post("/auth/login", &body).expect_fields(&["code"]);
    // A form sends the fields that were left empty.
    body["code"] = json!("");
    service.post("/auth/login", &body).mfa_token();
    let code = json!({"code": service.fresh_code(&enrolled), "remember_device": "yes"});
    service.second(&token, &code).expect_fields(&["remember_device"]);
    service.second(&token, &json!({"code": service.fresh_code(&enrolled)})).expect(200);
}

fn c1_14_the_last_recovery_code_brings_ten_new_ones(service: &Service) {
    let Enrolled { account, pair, mut codes, .. } = service.enrolled();
    for at_verify in [true, false] {
        for code in &codes[..9] {
            assert_eq!(members(&service.login_with(&account, code).expect(200)), PAIR);
        }
        let reply = if at_verify {
            service.second(&service.challenge(&account), &json!({"recovery_code": codes[9]}))
        } else {
            service.login_with(&account, &codes[9])
        };
        let new = texts(&reply.expect(200)["recovery_codes"]);
        assert!(new.len() == 10 && new.iter().all(|code| !codes.contains(code)), "{new:?}");
        assert_eq!(service.factors(&pair.access)["recovery_codes_left"], 10);
        service.login_with(&account, &codes[9]).wrong_credentials();
        codes = new;
    }
}
