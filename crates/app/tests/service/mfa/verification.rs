//! What a first verification, a reset and mailed links do to second factors.

use crate::accounts::NEW;
use crate::prelude::*;

on_both_databases!(
    c0_14_a_strangers_factor_ends_with_the_first_verification,
    c0_14_the_browser_that_verifies_keeps_its_factor,
    c0_14_another_browsers_factor_ends_with_the_first_verification,
    c0_15_a_reset_while_unverified_ends_factors,
    c0_16_a_reset_of_a_verified_account_keeps_the_factor,
    c0_6_neither_reset_nor_verification_begins_a_session,
    c1_19_mailed_links_survive_an_enrolment_and_a_removal,
);

fn c0_14_a_strangers_factor_ends_with_the_first_verification(service: &Service) {
    for with_password in [false, true] {
        // The stranger registers the owner's address and sets a factor up.
        let enrolled = service.enrolled();
        let account = &enrolled.account;
        let (second, challenge) = (service.sign_in_fully(&enrolled), service.challenge(account));
        let token = service.verification_token(account);
        let body = if with_password { service.confirm(&token, &account.password) } else { service.verify(&token) };
        let body = body.expect(200);
        assert_eq!(body["sessions_ended"], 2);
        service.expect_no_factor(account);
        [&enrolled.pair, &second].iter().for_each(|pair| service.expect_ended(pair));
        let code = json!({"code": enrolled.app.code()});
        assert_eq!(service.second(&challenge, &code).status, 401);
        if with_password {
            service.sign_in(account);
        } else {
            service.reset(body["reset_token"].as_str().unwrap(), NEW).expect(200);
            service.sign_in(&account.with_password(NEW));
        }
    }
}

fn c0_14_the_browser_that_verifies_keeps_its_factor(service: &Service) {
    let enrolled = service.enrolled();
    let body = json!({"token": service.verification_token(&enrolled.account)});
    service.tell("POST", "/auth/email/verify", &enrolled.pair.access, &body).expect(200);
    service.renewed(&enrolled.pair);
    service.challenge(&enrolled.account);
    service.login_with(&enrolled.account, &enrolled.codes[0]).expect(200);
}

fn c0_14_another_browsers_factor_ends_with_the_first_verification(service: &Service) {
    for keeps_one in [false, true] {
        let enrolled = service.enrolled();
        let own = service.sign_in_fully(&enrolled);
        let factor = keeps_one.then(|| service.add_factor(&own.access).0);
        let body = json!({"token": service.verification_token(&enrolled.account)});
        service.tell("POST", "/auth/email/verify", &own.access, &body).expect(200);
        service.renewed(&own);
        if let Some(factor) = factor {
            assert_eq!(service.rows_of(&enrolled.account, "totp_factors"), 1);
            assert_eq!(service.rows_of(&enrolled.account, "recovery_codes"), 0, "the other browser has seen them");
            service
                .login_with(&enrolled.account, &service.fresh_code(&Enrolled { app: factor, ..enrolled.clone() }))
                .expect(200);
        } else {
            service.expect_no_factor(&enrolled.account);
            service.sign_in(&enrolled.account);
        }
    }
}

fn c0_15_a_reset_while_unverified_ends_factors(service: &Service) {
    let enrolled = service.enrolled();
    service.reset(&service.reset_link(&enrolled.account), NEW).expect(200);
    service.expect_no_factor(&enrolled.account);
    service.expect_ended(&enrolled.pair);
    service.sign_in(&enrolled.account.with_password(NEW));
}

fn c0_16_a_reset_of_a_verified_account_keeps_the_factor(service: &Service) {
    for remove_others in [json!(null), json!(false), json!(true)] {
        let enrolled = service.enrol(service.verified_account());
        let token = service.reset_link(&enrolled.account);
        let body = |remove: Value| json!({"token": token, "new_password": NEW, "remove_other_sign_in_methods": remove});
        service.post("/auth/password/reset", &body(json!("yes"))).expect_fields(&["remove_other_sign_in_methods"]);
        service.post("/auth/password/reset", &body(remove_others)).expect(200);
        let account = enrolled.account.with_password(NEW);
        assert!(service.stored_hash(&account).starts_with("$portcullis-2fa$"));
        service.challenge(&account);
        service.login_with(&account, &service.fresh_code(&enrolled)).expect(200);
        service.login_with(&account, &enrolled.codes[0]).expect(200);
    }
}

fn c0_6_neither_reset_nor_verification_begins_a_session(service: &Service) {
    let enrolled = service.enrolled();
    let account = &enrolled.account;
    let verified = service.confirm(&service.verification_token(account), &account.password);
    let reset = service.reset(&service.reset_link(account), NEW);
    for reply in [verified, reset] {
        let body = reply.expect(200);
        assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none(), "{body}");
    }
    let live = format!("FROM sessions WHERE user_id = {} AND ended_at IS NULL", account.id);
    assert_eq!(service.database.count(&live), 0);
}

fn c1_19_mailed_links_survive_an_enrolment_and_a_removal(service: &Service) {
    let account = service.verified_account();
    let token = service.reset_link(&account);
    let enrolled = service.enrol(account);
    service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
    service.add_factor(&enrolled.pair.access);
    service.reset(&token, NEW).expect(200);
    service.login(&enrolled.account.email, NEW).mfa_token();
    // A verification link, too.
    let (account, pair) = service.session();
    let token = service.verification_token(&account);
    service.add_factor(&pair.access);
    service.tell("POST", "/auth/email/verify", &pair.access, &json!({"token": token})).expect(200);
}
