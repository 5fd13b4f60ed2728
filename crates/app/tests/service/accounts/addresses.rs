//! `POST /auth/email/change`, its confirmation and its undo.

use crate::prelude::*;

on_both_databases!(
    a_new_address_takes_effect_when_it_is_verified,
    another_password_is_invalid_credentials_and_sends_nothing,
    the_old_address_is_told_and_can_undo_the_change,
    an_undo_is_good_for_seven_days_and_reserves_the_address,
    a_taken_address_is_not_revealed_and_a_conflict_in_the_end,
);

fn a_new_address_takes_effect_when_it_is_verified(service: &Service) {
    let (account, own) = service.session();
    let (new_email, token) = service.email_change(&own.access, &account.password);
    service.login(&new_email, &account.password).wrong_credentials();
    assert_eq!(service.me(&own.access).expect(200)["email"], account.email);
    service.expect_lifetime(&account, "change_email", 86_400);
    let body = service.confirm(&token, &account.password).expect(200);
    assert_eq!((&body["purpose"], &body["email"]), (&"change_email".into(), &new_email.clone().into()));
    service.login(&account.email, &account.password).wrong_credentials();
    let pair = Pair::of(&service.login(&new_email, &account.password));
    let me = service.me(&pair.access).expect(200);
    assert_eq!((&me["id"], &me["email"], &me["email_verified"]), (&account.id.into(), &new_email.into(), &true.into()));
    service.expect_ended(&own);
}

fn another_password_is_invalid_credentials_and_sends_nothing(service: &Service) {
    let (_, own) = service.session();
    let new_email = fresh_email();
    service.change_email(&own.access, "not the password", &new_email).wrong_credentials();
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&new_email).len(), 0);
}

fn the_old_address_is_told_and_can_undo_the_change(service: &Service) {
    for with_password in [false, true] {
        let (account, own) = service.verified_session();
        let new_email = move_away(service, &account, &own.access);
        let told = service.wait_for_mails(&account.email, 2);
        let told = told.iter().find(|mail| mail.field("Subject").contains("Your email address")).expect("a notice");
        assert!(!told.whole.contains(&new_email), "the new address is untrusted text");
        let moved = Pair::of(&service.login(&new_email, &account.password));
        service.confirm(&told.token(), "not the password").wrong_credentials();
        let reply = if with_password {
            service.confirm(&told.token(), &account.password)
        } else {
            service.verify(&told.token())
        };
        let body = reply.expect(200);
        assert_eq!((&body["purpose"], &body["email"]), (&"undo_email".into(), &account.email.clone().into()));
        service.expect_ended(&moved);
        service.login(&new_email, &account.password).wrong_credentials();
        // The person who changed the email address knew the password, so it is removed unless it is shown.
        let status = service.login(&account.email, &account.password).status;
        assert_eq!(status, if with_password { 200 } else { 401 });
        service.reset(body["reset_token"].as_str().unwrap(), "a password of my own").expect(200);
        service.login(&account.email, "a password of my own").expect(200);
        service.verify(&told.token()).invalid();
    }
}

fn an_undo_is_good_for_seven_days_and_reserves_the_address(service: &Service) {
    let (account, own) = service.verified_session();
    move_away(service, &account, &own.access);
    let undo = undo_token(service, &account);
    service.expect_lifetime(&account, "undo_email", 604_800);
    service.register(&account.email, "somebody else's").expect_error(409, "CONFLICT");
    service.expire_tokens(&account);
    service.verify(&undo).expired();
}

fn a_taken_address_is_not_revealed_and_a_conflict_in_the_end(service: &Service) {
    let ((account, own), taken) = (service.session(), service.account());
    service.wait_for_mails(&taken.email, 1);
    let new_email = fresh_email();
    let free = service.change_email(&own.access, &account.password, &new_email);
    let other = service.change_email(&own.access, &account.password, &taken.email);
    assert!(free.expect(202)["message"].is_string());
    assert_eq!(free.seen(), other.seen());
    service.wait_until_all_mail_is_sent();
    assert_eq!(service.mails_to(&taken.email).len(), 1, "nothing is sent to somebody else");
    let (new_email, token) = service.email_change(&own.access, &account.password);
    service.register(&new_email, "somebody else's").expect(201);
    service.verify(&token).expect_error(409, "CONFLICT");
    service.login(&account.email, &account.password).expect(200);
}

/// Changes an account's email address and returns the new one.
fn move_away(service: &Service, account: &Account, access: &str) -> String {
    let (new_email, token) = service.email_change(access, &account.password);
    service.confirm(&token, &account.password).expect(200);
    new_email
}

/// Returns the undo token from the email to the old address.
fn undo_token(service: &Service, account: &Account) -> String {
    let mails = service.wait_for_mails(&account.email, 2);
    let tokens = mails.iter().filter(|mail| mail.text.contains("token=")).map(|mail| mail.token());
    let is_undo = |token: &String| {
        let page = service.get(&format!("/account/verify?token={token}"));
        page.status == 200 && page.text().contains("value=\"undo_email\"")
    };
    tokens.into_iter().find(is_undo).expect("a mail with an undo")
}
