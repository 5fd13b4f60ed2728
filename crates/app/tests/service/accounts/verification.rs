//! `POST /auth/email/verify` and `/resend`.

use crate::prelude::*;

on_both_databases!(
    a_registered_address_is_verified_by_the_mail_that_goes_there,
    a_token_dies_with_its_time_and_by_a_newer_one,
    required_verification_forbids_logins_and_refreshes,
);

fn a_registered_address_is_verified_by_the_mail_that_goes_there(service: &Service) {
    let (account, pair) = service.session();
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], false);
    let reply = service.confirm(&service.verification_token(&account), &account.password);
    let body = reply.expect(200);
    assert_eq!((&body["email"], &body["purpose"]), (&account.email.clone().into(), &"verify_email".into()));
    assert_eq!(reply.header("Cache-Control"), Some("no-store"), "it may bear a token");
    let pair = service.sign_in(&account);
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], true);
    // A verified address gets no further email to verify it.
    service.resend(&account.email).expect(202);
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&account.email).len(), 1);
}

/// The use case's tests have every other end of a token.
fn a_token_dies_with_its_time_and_by_a_newer_one(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    service.expect_lifetime(&account, "verify_email", 86_400);
    assert!(service.resend(&account.email.to_uppercase()).expect(202)["message"].is_string());
    let mails = service.wait_for_mails(&account.email, 2);
    let newer = mails.iter().map(|mail| mail.token()).find(|other| *other != token).expect("a newer one");
    service.verify(&token).invalid();
    service.expire_tokens(&account);
    service.verify(&newer).expired();
}

fn required_verification_forbids_logins_and_refreshes(backend: Backend) {
    let service = backend.service().set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = service.account();
    service.login(&account.email, &account.password).expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    // A client without the password learns nothing.
    service.login(&account.email, "not the password").wrong_credentials();
    service.login(&fresh_email(), &account.password).wrong_credentials();
    service.confirm(&service.verification_token(&account), &account.password).expect(200);
    let pair = service.sign_in(&account);
    service.set_user(&account, "email_verified_at = NULL");
    service.refresh(&pair.refresh).expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    service.refresh_with(&pair.refresh, "a-key").expect_error(403, "AUTH_EMAIL_UNVERIFIED");
    service.set_user(&account, "email_verified_at = '2026-01-01 00:00:00'");
    // The token was not spent.
    service.refresh(&pair.refresh).expect(200);
}
