//! Accounts that were registered in somebody else's name (the pre-hijacking study of USENIX
//! Security 2022): once the owner of the address comes, nothing of the stranger's is worth anything.

use crate::harness::accounts::{Account, Pair};
use crate::harness::calls::Reply;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use serde_json::json;

on_both_databases!(
    what_a_stranger_set_up_is_worth_nothing_once_the_owner_comes,
    a_strangers_change_of_address_dies_with_the_first_verification,
    the_session_that_verifies_is_spared,
    the_sessions_of_the_browser_that_verifies_are_spared,
    nobody_is_spared_by_the_session_of_another_account,
    a_stale_bearer_uses_no_token_up,
    a_later_verification_ends_nothing,
);

const OWNERS: &str = "the owner's own password";

fn what_a_stranger_set_up_is_worth_nothing_once_the_owner_comes(service: &Service) {
    // The stranger.
    let account = service.account();
    let sessions = [service.sign_in(&account), service.sign_in(&account)];
    let refreshed = Pair::of(&service.refresh(&sessions[1].refresh));
    // The owner, who never heard of it, opens the mail and presses the button.
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    let token = target.split_once("token=").unwrap().1;
    let page = service.call("POST", "/account/verify").form(&format!("token={token}")).send();
    assert_eq!(page.status, 200, "{}", page.text());
    for pair in [&sessions[0], &refreshed] {
        service.expect_ended(pair);
    }
    // The page offers a new password.
    let offered = hidden(page.text(), "token");
    let form = format!("token={offered}&new_password={OWNERS}&repetition={OWNERS}").replace(' ', "+");
    let saved = service.call("POST", "/account/reset").form(&form).send();
    assert_eq!(saved.status, 200, "{}", saved.text());
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(&account.email, OWNERS).expect(200);
}

fn a_strangers_change_of_address_dies_with_the_first_verification(service: &Service) {
    let (account, stranger) = service.session();
    let elsewhere = crate::harness::accounts::fresh_email();
    service.change_email(&stranger.access, &account.password, &elsewhere).expect(202);
    let theirs = service.wait_for_mails(&elsewhere, 1)[0].token();
    let reset = service.reset_token(&account, 2);
    service.verify(&verification(service, &account)).expect(200);
    service.verify(&theirs).expect_error(401, "AUTH_TOKEN_INVALID");
    service.reset(&reset, OWNERS).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn the_session_that_verifies_is_spared(service: &Service) {
    let account = service.account();
    let (own, other) = (service.sign_in(&account), service.sign_in(&account));
    let token = verification(service, &account);
    let call = service.call("POST", "/auth/email/verify").bearer(&own.access);
    assert_eq!(call.json(&json!({"token": token})).send().expect(200)["sessions_ended"], 1);
    service.me(&own.access).expect(200);
    service.refresh(&own.refresh).expect(200);
    service.expect_ended(&other);
}

fn the_sessions_of_the_browser_that_verifies_are_spared(service: &Service) {
    let account = service.account();
    let signed_in = service.login(&account.email, &account.password);
    let (own, other) = (Pair::of(&signed_in), service.sign_in(&account));
    let form = format!("token={}", verification(service, &account));
    let page = service.call("POST", "/account/verify").header("Cookie", &cookie(&signed_in)).form(&form).send();
    assert_eq!(page.status, 200, "{}", page.text());
    service.me(&own.access).expect(200);
    service.refresh(&own.refresh).expect(200);
    service.expect_ended(&other);
}

fn nobody_is_spared_by_the_session_of_another_account(service: &Service) {
    let stranger = service.account();
    let theirs = service.login(&stranger.email, &stranger.password);
    let account = service.account();
    let pair = service.sign_in(&account);
    let call = service.call("POST", "/auth/email/verify").bearer(&Pair::of(&theirs).access);
    let call = call.header("Cookie", &cookie(&theirs)).json(&json!({"token": verification(service, &account)}));
    assert_eq!(call.send().expect(200)["sessions_ended"], 1);
    service.expect_ended(&pair);
    service.me(&Pair::of(&theirs).access).expect(200);
}

fn a_stale_bearer_uses_no_token_up(service: &Service) {
    let (account, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    let token = verification(service, &account);
    for bearer in ["x", pair.access.as_str()] {
        let reply = service.call("POST", "/auth/email/verify").bearer(bearer).json(&json!({"token": token})).send();
        assert_eq!(reply.status, 401);
        assert!(reply.header("WWW-Authenticate").is_some(), "the bearer is what is wrong");
    }
    service.verify(&token).expect(200);
    assert_eq!(service.verify(&token).header("WWW-Authenticate"), None, "the token is what is wrong");
}

fn a_later_verification_ends_nothing(service: &Service) {
    let account = service.account();
    let mailed = verification(service, &account);
    service
        .database
        .execute(&format!("UPDATE users SET email_verified_at = '2026-01-01 00:00:00' WHERE id = {}", account.id));
    let pair = service.sign_in(&account);
    let body = service.verify(&mailed).expect(200);
    assert_eq!((&body["sessions_ended"], &body["reset_token"]), (&json!(0), &json!(null)));
    service.me(&pair.access).expect(200);
}

/// The token of the mail that an account was registered with, whatever came since.
fn verification(service: &Service, account: &Account) -> String {
    service.wait_until_all_mail_is_sent();
    let mails = service.mails_to(&account.email);
    let mail = mails.iter().find(|mail| mail.text.contains("/account/verify"));
    mail.expect("a mail to verify the address").token()
}

fn cookie(reply: &Reply) -> String {
    reply.header("Set-Cookie").expect("a cookie").split(';').next().unwrap().to_owned()
}

/// The value of a hidden field.
pub(super) fn hidden(html: &str, name: &str) -> String {
    let at = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&at).unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}
