//! `POST /auth/email/change`, its confirmation and its undo.

use crate::harness::accounts::{Account, Pair, fresh_email};
use crate::harness::on_both_databases;
use crate::harness::services::Service;

on_both_databases!(
    a_new_address_takes_effect_when_it_is_verified,
    another_password_is_invalid_credentials_and_sends_nothing,
    the_old_address_is_told_and_can_undo_the_change,
    the_owner_who_undoes_with_the_password_keeps_it,
    unverified_old_email_is_neither_notified_nor_reserved,
    an_undo_is_good_for_seven_days,
    an_undo_outlives_what_a_thief_would_change,
    an_address_that_may_be_taken_back_is_nobody_elses,
    email_change_does_not_reveal_whether_the_new_one_is_taken,
    an_address_that_was_taken_meanwhile_is_a_conflict,
);

fn a_new_address_takes_effect_when_it_is_verified(service: &Service) {
    let (account, own) = service.session();
    let new_email = fresh_email();
    assert!(service.change_email(&own.access, &account.password, &new_email).expect(202)["message"].is_string());
    let token = service.wait_for_mails(&new_email, 1)[0].token();
    service.login(&new_email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.me(&own.access).expect(200)["email"], account.email);
    let lifetime = service.lifetime(&account, "change_email");
    assert!((86_300..=86_400).contains(&lifetime), "{lifetime}");
    let body = service.confirm(&token, &account.password).expect(200);
    assert_eq!((&body["purpose"], &body["email"]), (&"change_email".into(), &new_email.clone().into()));
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let pair = Pair::of(&service.login(&new_email, &account.password));
    let me = service.me(&pair.access).expect(200);
    assert_eq!((&me["id"], &me["email"], &me["email_verified"]), (&account.id.into(), &new_email.into(), &true.into()));
    service.expect_ended(&own);
}

fn another_password_is_invalid_credentials_and_sends_nothing(service: &Service) {
    let (_, own) = service.session();
    let new_email = fresh_email();
    service.change_email(&own.access, "not the password", &new_email).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&new_email).len(), 0);
}

fn the_old_address_is_told_and_can_undo_the_change(service: &Service) {
    let (account, own) = verified_session(service);
    let new_email = move_away(service, &account, &own.access);
    let told = service.wait_for_mails(&account.email, 2);
    let told = told.iter().find(|mail| mail.field("Subject").contains("Your email address")).expect("a notice");
    assert!(!told.whole.contains(&new_email), "whoever changed the address chose that text");
    let moved = Pair::of(&service.login(&new_email, &account.password));
    let body = service.verify(&told.token()).expect(200);
    assert_eq!((&body["purpose"], &body["email"]), (&"undo_email".into(), &account.email.clone().into()));
    service.expect_ended(&moved);
    service.login(&new_email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // The person who changed the email address knew the password, so it is removed and a new one requested.
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.reset(body["reset_token"].as_str().unwrap(), "a password of my own").expect(200);
    service.login(&account.email, "a password of my own").expect(200);
    service.verify(&told.token()).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn the_owner_who_undoes_with_the_password_keeps_it(service: &Service) {
    let (account, own) = verified_session(service);
    move_away(service, &account, &own.access);
    let undo = undo_token(service, &account);
    service.confirm(&undo, "not the password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert!(service.confirm(&undo, &account.password).expect(200)["reset_token"].is_string());
    service.login(&account.email, &account.password).expect(200);
}

fn unverified_old_email_is_neither_notified_nor_reserved(service: &Service) {
    let (account, own) = service.session();
    service.wait_for_mails(&account.email, 1);
    move_away(service, &account, &own.access);
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&account.email).len(), 1, "that of the registration");
    service.register(&account.email, "its owner's password").expect(201);
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

fn an_undo_is_good_for_seven_days(service: &Service) {
    let (account, own) = verified_session(service);
    move_away(service, &account, &own.access);
    let undo = undo_token(service, &account);
    let lifetime = service.lifetime(&account, "undo_email");
    assert!((604_700..=604_800).contains(&lifetime), "{lifetime}");
    service.expire_tokens(&account);
    service.verify(&undo).expect_error(401, "AUTH_TOKEN_EXPIRED");
}

fn an_undo_outlives_what_a_thief_would_change(service: &Service) {
    let (account, own) = verified_session(service);
    let new_email = move_away(service, &account, &own.access);
    let thief = Pair::of(&service.login(&new_email, &account.password));
    service.change_password(&thief.access, &account.password, "the thief's password").expect(200);
    let further = fresh_email();
    service.change_email(&thief.access, "the thief's password", &further).expect(202);
    service.verify(&service.wait_for_mails(&further, 1)[0].token()).expect(200);
    let body = service.verify(&undo_token(service, &account)).expect(200);
    assert_eq!(body["email"], account.email);
    service.reset(body["reset_token"].as_str().unwrap(), "a password of my own").expect(200);
    service.login(&account.email, "a password of my own").expect(200);
    for email in [&new_email, &further] {
        service.login(email, "the thief's password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

fn an_address_that_may_be_taken_back_is_nobody_elses(service: &Service) {
    let (account, own) = verified_session(service);
    move_away(service, &account, &own.access);
    let undo = undo_token(service, &account);
    service.register(&account.email, "somebody else's").expect_error(409, "CONFLICT");
    service.verify(&undo).expect(200);
}

fn email_change_does_not_reveal_whether_the_new_one_is_taken(service: &Service) {
    let (account, own) = service.session();
    let taken = service.account();
    service.wait_for_mails(&taken.email, 1);
    let free = service.change_email(&own.access, &account.password, &fresh_email());
    let other = service.change_email(&own.access, &account.password, &taken.email);
    assert_eq!(super::seen(&free), super::seen(&other));
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&taken.email).len(), 1, "nothing is sent to somebody else");
}

fn an_address_that_was_taken_meanwhile_is_a_conflict(service: &Service) {
    let (account, own) = service.session();
    let new_email = fresh_email();
    service.change_email(&own.access, &account.password, &new_email).expect(202);
    let token = service.wait_for_mails(&new_email, 1)[0].token();
    service.register(&new_email, "somebody else's").expect(201);
    service.verify(&token).expect_error(409, "CONFLICT");
    service.login(&account.email, &account.password).expect(200);
}

/// Logs a fresh account with a verified email address in.
fn verified_session(service: &Service) -> (Account, Pair) {
    let account = service.verified_account();
    let pair = service.sign_in(&account);
    (account, pair)
}

/// Changes an account's email address and returns the new one.
fn move_away(service: &Service, account: &Account, access: &str) -> String {
    let new_email = fresh_email();
    service.change_email(access, &account.password, &new_email).expect(202);
    service.confirm(&service.wait_for_mails(&new_email, 1)[0].token(), &account.password).expect(200);
    new_email
}

/// Returns the undo token from the email to the old address.
fn undo_token(service: &Service, account: &Account) -> String {
    let first = service.wait_for_mails(&account.email, 2);
    let last = first.iter().filter(|mail| mail.text.contains("token=")).map(|mail| mail.token());
    let undo = |token: &String| {
        let page = service.call("GET", &format!("/account/verify?token={token}")).send();
        page.status == 200 && page.text().contains("value=\"undo_email\"")
    };
    last.into_iter().find(undo).expect("a mail with an undo")
}
