//! `POST /auth/email/verify` and `/resend`.

use crate::harness::accounts::fresh_email;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use serde_json::{Value, json};
use std::thread;

on_both_databases!(
    a_registered_address_is_verified_by_the_mail_that_goes_there,
    a_token_is_good_for_one_use_however_many_show_it_at_once,
    a_token_is_good_for_a_day,
    a_mail_that_is_asked_for_again_replaces_the_one_before,
    a_verified_address_gets_no_mail_to_verify_it,
    required_verification_forbids_login_with_unverified_email,
    required_verification_forbids_refresh_with_unverified_email,
    a_token_is_dead_once_the_email_or_the_password_changes,
);

fn a_registered_address_is_verified_by_the_mail_that_goes_there(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let pair = service.sign_in(&account);
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], false);
    let reply = service.confirm(&token, &account.password);
    let body = reply.expect(200);
    assert_eq!((&body["email"], &body["purpose"]), (&account.email.clone().into(), &"verify_email".into()));
    assert_eq!(reply.header("Cache-Control"), Some("no-store"), "it may bear a token");
    let pair = service.sign_in(&account);
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], true);
}

fn a_token_is_good_for_one_use_however_many_show_it_at_once(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let statuses: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| service.verify(&token).status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 7, "{statuses:?}");
    service.verify(&token).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_token_is_good_for_a_day(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let lifetime = service.lifetime(&account, "verify_email");
    assert!((86_300..=86_400).contains(&lifetime), "{lifetime}");
    service.expire_tokens(&account);
    service.verify(&token).expect_error(401, "AUTH_TOKEN_EXPIRED");
}

fn a_mail_that_is_asked_for_again_replaces_the_one_before(service: &Service) {
    let account = service.account();
    let older = service.verification_token(&account);
    assert!(service.resend(&account.email.to_uppercase()).expect(202)["message"].is_string());
    let mails = service.wait_for_mails(&account.email, 2);
    let newer = mails.iter().map(|mail| mail.token()).find(|token| *token != older).expect("a newer one");
    service.verify(&older).expect_error(401, "AUTH_TOKEN_INVALID");
    service.verify(&newer).expect(200);
}

fn a_verified_address_gets_no_mail_to_verify_it(service: &Service) {
    let account = service.verified_account();
    service.resend(&account.email).expect(202);
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&account.email).len(), 1);
}

fn required_verification_forbids_login_with_unverified_email(backend: Backend) {
    let service = backend.service().set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = service.account();
    service.login(&account.email, &account.password).expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    // A client without the password learns nothing.
    service.login(&account.email, "not the password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(&fresh_email(), &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.confirm(&service.verification_token(&account), &account.password).expect(200);
    service.login(&account.email, &account.password).expect(200);
}

fn required_verification_forbids_refresh_with_unverified_email(backend: Backend) {
    let service = backend.service().set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = service.verified_account();
    let pair = service.sign_in(&account);
    let verified = |at: &str| {
        let id = account.id;
        service.database.execute(&format!("UPDATE users SET email_verified_at = {at} WHERE id = {id}"));
    };
    verified("NULL");
    let body = json!({"refresh_token": pair.refresh});
    for key in [None, Some("a-key")] {
        let call = service.call("POST", "/auth/refresh").json(&body);
        let call = key.into_iter().fold(call, |call, key| call.header("Idempotency-Key", key));
        call.send().expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    }
    verified("'2026-01-01 00:00:00'");
    // The token was not spent.
    service.refresh(&pair.refresh).expect(200);
}

fn a_token_is_dead_once_the_email_or_the_password_changes(service: &Service) {
    let (account, own) = service.session();
    let token = service.verification_token(&account);
    service.change_password(&own.access, &account.password, "another password").expect(200);
    service.verify(&token).expect_error(401, "AUTH_TOKEN_INVALID");
    let (account, own) = service.session();
    let (token, new_email) = (service.verification_token(&account), fresh_email());
    service.change_email(&own.access, &account.password, &new_email).expect(202);
    let body: Value = service.verify(&service.wait_for_mails(&new_email, 1)[0].token()).expect(200);
    assert_eq!((&body["purpose"], &body["email"]), (&"change_email".into(), &new_email.into()));
    service.verify(&token).expect_error(401, "AUTH_TOKEN_INVALID");
}
