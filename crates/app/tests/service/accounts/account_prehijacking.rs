//! Account pre-hijacking (USENIX Security 2022): once the owner of an email address verifies it, everything
//! the attacker set up is invalid.

use crate::harness::accounts::{Account, Pair};
use crate::harness::calls::Reply;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use serde_json::json;

on_both_databases!(
    attackers_sessions_and_password_die_once_the_owner_verifies,
    attackers_email_change_dies_with_the_first_verification,
    the_session_that_verifies_is_spared,
    the_sessions_of_the_browser_that_verifies_are_spared,
    session_of_another_account_spares_none_at_verification,
    a_stale_bearer_uses_no_token_up,
    a_later_verification_ends_nothing,
    the_password_stays_only_if_it_is_the_owners,
    a_wrong_password_is_invalid_credentials_and_uses_no_token_up,
    guesses_at_the_password_are_limited,
    the_page_asks_for_the_password,
    a_reader_who_did_not_choose_the_password_sets_a_new_one,
    a_known_device_is_asked_for_no_password,
);

const OWNERS: &str = "the owner's own password";

fn attackers_sessions_and_password_die_once_the_owner_verifies(service: &Service) {
    // The attacker registers.
    let account = service.account();
    let sessions = [service.sign_in(&account), service.sign_in(&account)];
    let refreshed = Pair::of(&service.refresh(&sessions[1].refresh));
    // The owner, who did not register, opens the email and presses the button.
    let target = service.wait_for_mails(&account.email, 1)[0].target();
    let token = target.split_once("token=").unwrap().1;
    let page = service.call("POST", "/account/verify").form(&format!("token={token}&disowned=")).send();
    assert_eq!(page.status, 200, "{}", page.text());
    for pair in [&sessions[0], &refreshed] {
        service.expect_ended(pair);
    }
    // The page asks for a new password.
    let offered = hidden(page.text(), "token");
    let form = format!("token={offered}&new_password={OWNERS}&repetition={OWNERS}").replace(' ', "+");
    let saved = service.call("POST", "/account/reset").form(&form).send();
    assert_eq!(saved.status, 200, "{}", saved.text());
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(&account.email, OWNERS).expect(200);
}

fn attackers_email_change_dies_with_the_first_verification(service: &Service) {
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

fn session_of_another_account_spares_none_at_verification(service: &Service) {
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

fn the_password_stays_only_if_it_is_the_owners(service: &Service) {
    // No proof of ownership.
    for body in [json!({}), json!({"password": null})] {
        let account = service.account();
        let mut body = body;
        body["token"] = verification(service, &account).into();
        let reply = service.post("/auth/email/verify", &body).expect(200);
        service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.reset(reply["reset_token"].as_str().unwrap(), OWNERS).expect(200);
        service.login(&account.email, OWNERS).expect(200);
    }
    // The password itself.
    let account = service.account();
    let reply = service.confirm(&verification(service, &account), &account.password).expect(200);
    assert_eq!(reply["reset_token"], json!(null));
    service.login(&account.email, &account.password).expect(200);
    // A session, and a known device.
    for with_cookie in [false, true] {
        let account = service.account();
        let signed_in = service.login(&account.email, &account.password);
        let call = service.call("POST", "/auth/email/verify");
        let call = if with_cookie {
            call.header("Cookie", &cookie(&signed_in))
        } else {
            call.bearer(&Pair::of(&signed_in).access)
        };
        let reply = call.json(&json!({"token": verification(service, &account)})).send().expect(200);
        assert_eq!(reply["reset_token"], json!(null));
        service.login(&account.email, &account.password).expect(200);
    }
}

fn a_wrong_password_is_invalid_credentials_and_uses_no_token_up(service: &Service) {
    let (account, pair) = service.session();
    let token = verification(service, &account);
    for password in ["", "not the password", &account.password.to_uppercase()] {
        let reply = service.confirm(&token, password);
        reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(reply.header("WWW-Authenticate"), None, "no bearer is what is wrong");
    }
    // An access token of the account does not help either.
    let call = service.call("POST", "/auth/email/verify").bearer(&pair.access);
    let reply = call.json(&json!({"token": token, "password": "not the password"})).send();
    reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.post("/auth/email/verify", &json!({"token": token, "password": 7})).expect_fields(&["password"]);
    service.me(&pair.access).expect(200);
    service.confirm(&token, &account.password).expect(200);
}

fn guesses_at_the_password_are_limited(backend: Backend) {
    let service = backend.service().unset("RATE_LIMIT_ENABLED").set("RATE_LIMIT_ACCOUNT", "3/15m").start();
    let account = service.account();
    let token = verification(&service, &account);
    for _ in 0..3 {
        service.confirm(&token, "not the password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let refused = service.confirm(&token, &account.password);
    refused.expect_error(429, "RATE_LIMITED");
    assert!(refused.header("Retry-After").is_some());
    // Password guesses do not lock the owner out: the token works without the password.
    assert!(service.verify(&token).expect(200)["reset_token"].is_string());
}

fn the_page_asks_for_the_password(service: &Service) {
    let account = service.account();
    let token = verification(service, &account);
    let opened = service.get(&format!("/account/verify?token={token}"));
    assert!(opened.text().contains("Enter the password you chose"), "{}", opened.text());
    assert!(opened.text().contains("I didn't choose one: set a new password"), "{}", opened.text());
    let post = |password: &str| {
        let form = format!("token={token}&purpose=verify_email&asked=password&password={}", password.replace(' ', "+"));
        service.call("POST", "/account/verify").form(&form).send()
    };
    let unanswered = service.call("POST", "/account/verify").form(&format!("token={token}")).send();
    assert_eq!(unanswered.status, 200, "{}", unanswered.text());
    assert!(unanswered.text().contains("Enter the password you chose"), "{}", unanswered.text());
    for wrong in ["", "not the password"] {
        let reply = post(wrong);
        assert_eq!(reply.status, 422, "{}", reply.text());
        let input = reply.text().split("<input id=\"password\"").nth(1).expect("the field").split('>').next().unwrap();
        assert!(input.contains("aria-invalid=\"true\"") && !input.contains("value="), "{input}");
    }
    let done = post(&account.password);
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(!done.text().contains("new_password"), "{}", done.text());
    service.login(&account.email, &account.password).expect(200);
}

fn a_reader_who_did_not_choose_the_password_sets_a_new_one(service: &Service) {
    let account = service.account();
    // Not even a cookie in the reader's browser keeps it: another site may have planted it.
    let planted = cookie(&service.login(&account.email, &account.password));
    let form = format!("token={}&asked=password&disowned=", verification(service, &account));
    let page = service.call("POST", "/account/verify").header("Cookie", &planted).form(&form).send();
    assert_eq!(page.status, 200, "{}", page.text());
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let offered = hidden(page.text(), "token");
    service.reset(&offered, OWNERS).expect(200);
    service.login(&account.email, OWNERS).expect(200);
}

fn a_known_device_is_asked_for_no_password(service: &Service) {
    let account = service.account();
    let own = cookie(&service.login(&account.email, &account.password));
    let token = verification(service, &account);
    let opened = service.call("GET", &format!("/account/verify?token={token}")).header("Cookie", &own).send();
    assert!(!opened.text().contains("type=\"password\""), "{}", opened.text());
    let page = service.call("POST", "/account/verify").header("Cookie", &own).form(&format!("token={token}")).send();
    assert_eq!(page.status, 200, "{}", page.text());
    service.login(&account.email, &account.password).expect(200);
}

/// Returns the token of the account's registration email, even if later ones arrived.
fn verification(service: &Service, account: &Account) -> String {
    service.wait_until_all_mail_is_sent();
    let mails = service.mails_to(&account.email);
    let mail = mails.iter().find(|mail| mail.text.contains("/account/verify"));
    mail.expect("a mail to verify the address").token()
}

fn cookie(reply: &Reply) -> String {
    reply.header("Set-Cookie").expect("a cookie").split(';').next().unwrap().to_owned()
}

/// Returns the value of a hidden field.
pub(super) fn hidden(html: &str, name: &str) -> String {
    let at = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&at).unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}
