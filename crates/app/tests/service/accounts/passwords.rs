//! `POST /auth/password/change`, `/forgot` and `/reset`.

use crate::harness::accounts::{Account, fresh_email};
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::thread;

on_both_databases!(
    password_change_ends_every_other_session,
    another_current_password_is_invalid_credentials,
    a_changed_password_is_as_good_as_a_registered_one,
    the_owner_is_told_of_a_new_password,
    a_reset_ends_every_session_and_signs_nobody_in,
    a_reset_verifies_the_address_that_the_token_was_mailed_to,
    a_token_is_good_for_one_use_however_many_show_it_at_once,
    a_token_is_good_for_half_an_hour,
    a_newer_token_replaces_the_older,
    a_token_is_dead_once_the_password_changes,
    a_token_is_dead_once_the_email_changes,
    a_token_of_an_inactive_account_is_invalid,
    only_a_hash_of_the_token_is_stored,
    a_bad_token_is_invalid_and_a_bad_password_uses_none_up,
    members_are_checked_field_by_field,
);

const NEW: &str = "wrong donkey charger paperclip";

fn password_change_ends_every_other_session(service: &Service) {
    let (account, own) = service.session();
    let others = [service.sign_in(&account), service.sign_in(&account)];
    let reply = service.change_password(&own.access, &account.password, NEW);
    assert!(reply.expect(200)["message"].is_string());
    others.iter().for_each(|other| service.expect_ended(other));
    service.me(&own.access).expect(200);
    service.refresh(&own.refresh).expect(200);
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(&account.email, NEW).expect(200);
}

fn another_current_password_is_invalid_credentials(service: &Service) {
    let (account, own) = service.session();
    let other = service.sign_in(&account);
    let reply = service.change_password(&own.access, "not the password", NEW);
    reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(reply.header("WWW-Authenticate"), None, "the bearer is as good as before");
    service.refresh(&other.refresh).expect(200);
    service.login(&account.email, &account.password).expect(200);
    service.call("POST", "/auth/password/change").json(&json!({})).send().expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_changed_password_is_as_good_as_a_registered_one(backend: Backend) {
    let service = backend.service().set("PASSWORD_BLOCKLIST", "true").set("PASSWORD_MIN_LENGTH", "10").start();
    let (account, own) = service.session();
    service.change_password(&own.access, &account.password, "9 letters").expect_fields(&["new_password"]);
    service.change_password(&own.access, &account.password, &"x".repeat(257)).expect_fields(&["new_password"]);
    let details =
        service.change_password(&own.access, &account.password, "password123").expect_error(422, "VALIDATION_ERROR");
    assert_eq!(
        (&details["errors"][0]["field"], &details["errors"][0]["code"]),
        (&json!("new_password"), &json!("password_common"))
    );
    let token = service.reset_token(&account, 2);
    service.reset(&token, "9 letters").expect_fields(&["new_password"]);
    let details = service.reset(&token, "password123").expect_error(422, "VALIDATION_ERROR");
    assert_eq!(
        (&details["errors"][0]["field"], &details["errors"][0]["code"]),
        (&json!("new_password"), &json!("password_common"))
    );
    let long = format!("{}é🔑", "x".repeat(200));
    service.reset(&token, &long).expect(200);
    service.login(&account.email, &long).expect(200);
    service.login(&account.email, &long[..199]).expect(401);
}

fn the_owner_is_told_of_a_new_password(service: &Service) {
    let (account, own) = service.session();
    // A link requested under the old password is no longer sent.
    service.wait_for_mails(&account.email, 1);
    service.change_password(&own.access, &account.password, NEW).expect(200);
    let mails = service.wait_for_mails(&account.email, 2);
    let notices: Vec<_> = mails.iter().filter(|mail| !mail.text.contains("token=")).collect();
    assert_eq!(notices.len(), 1, "{mails:?}");
    assert!(!notices[0].whole.contains(NEW) && !notices[0].whole.contains(&account.password));
}

fn a_reset_ends_every_session_and_signs_nobody_in(service: &Service) {
    let account = service.verified_account();
    let sessions = [service.sign_in(&account), service.sign_in(&account)];
    let token = service.reset_token(&account, 2);
    let reply = service.reset(&token, NEW);
    let body = reply.expect(200);
    assert!(body["message"].is_string() && body.get("access_token").is_none(), "{body}");
    let cookie = reply.header("Set-Cookie").expect("the device is known from now on");
    assert!(cookie.starts_with("portcullis_device=") && cookie.contains("HttpOnly"), "{cookie}");
    sessions.iter().for_each(|pair| service.expect_ended(pair));
    service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(&account.email, NEW).expect(200);
}

fn a_reset_verifies_the_address_that_the_token_was_mailed_to(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    service.reset(&token, NEW).expect(200);
    let pair = service.sign_in(&Account { password: NEW.to_owned(), ..account });
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], true);
}

fn a_token_is_good_for_one_use_however_many_show_it_at_once(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let replies: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|number| {
                let (service, token) = (&service, &token);
                scope.spawn(move || (number, service.reset(token, &format!("a new password {number}"))))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let winners: Vec<_> = replies.iter().filter(|(_, reply)| reply.status == 200).collect();
    assert_eq!(winners.len(), 1, "{replies:?}");
    let losers = replies.iter().filter(|(_, reply)| reply.status != 200);
    losers.for_each(|(_, reply)| drop(reply.expect_error(401, "AUTH_TOKEN_INVALID")));
    service.login(&account.email, &format!("a new password {}", winners[0].0)).expect(200);
    service.reset(&token, NEW).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_token_is_good_for_half_an_hour(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let lifetime = service.lifetime(&account, "reset_password");
    assert!((1700..=1800).contains(&lifetime), "{lifetime}");
    service.expire_tokens(&account);
    service.reset(&token, NEW).expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.login(&account.email, &account.password).expect(200);
}

fn a_newer_token_replaces_the_older(service: &Service) {
    let account = service.account();
    let older = service.reset_token(&account, 2);
    service.forgot(&account.email).expect(202);
    let mails = service.wait_for_mails(&account.email, 3);
    let newer = mails
        .iter()
        .map(crate::harness::mails::Mail::token)
        .find(|token| *token != older && service.get(&format!("/account/reset?token={token}")).status == 200);
    service.reset(&older, NEW).expect_error(401, "AUTH_TOKEN_INVALID");
    service.reset(&newer.expect("a newer one"), NEW).expect(200);
}

fn a_token_is_dead_once_the_password_changes(service: &Service) {
    let (account, own) = service.session();
    let token = service.reset_token(&account, 2);
    service.change_password(&own.access, &account.password, NEW).expect(200);
    service.reset(&token, "another password").expect_error(401, "AUTH_TOKEN_INVALID");
    service.login(&account.email, NEW).expect(200);
}

fn a_token_is_dead_once_the_email_changes(service: &Service) {
    let (account, own) = service.session();
    let token = service.reset_token(&account, 2);
    let new_email = fresh_email();
    service.change_email(&own.access, &account.password, &new_email).expect(202);
    service.confirm(&service.wait_for_mails(&new_email, 1)[0].token(), &account.password).expect(200);
    service.reset(&token, NEW).expect_error(401, "AUTH_TOKEN_INVALID");
    service.login(&new_email, &account.password).expect(200);
}

fn a_token_of_an_inactive_account_is_invalid(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    service.disable(&account);
    service.reset(&token, NEW).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn only_a_hash_of_the_token_is_stored(backend: Backend) {
    let service = backend.service().start();
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let bytes = hex::decode(&token).unwrap();
    let dump = service.database.dump();
    assert!(dump.contains(&account.email), "it is a dump");
    for spelling in [token.clone(), token.to_uppercase(), STANDARD.encode(&bytes)] {
        assert!(!dump.contains(&spelling), "{spelling}");
    }
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    assert!(!dump.contains(&raw));
    // The stored digest cannot be used as a token.
    for stored in service.database.texts(&service.hex_of("digest"), "FROM one_time_tokens") {
        service.reset(&stored.to_lowercase(), NEW).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn a_bad_token_is_invalid_and_a_bad_password_uses_none_up(service: &Service) {
    let account = service.account();
    let verification = service.verification_token(&account);
    let token = service.reset_token(&account, 2);
    let bad =
        ["", "x", "ab", &token.to_uppercase(), &format!("{token} "), &"0".repeat(64), &verification, &"é".repeat(32)];
    for bad in bad {
        service.reset(bad, NEW).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.verify(&token).expect_error(401, "AUTH_TOKEN_INVALID");
    service.reset(&token, "short").expect_fields(&["new_password"]);
    service.reset(&token, NEW).expect(200);
}

fn members_are_checked_field_by_field(service: &Service) {
    let (_, own) = service.session();
    let post = |path: &str| service.call("POST", path).bearer(&own.access).json(&json!({"x": 1})).send();
    post("/auth/password/change").expect_fields(&["current_password", "new_password"]);
    post("/auth/password/reset").expect_fields(&["token", "new_password"]);
    post("/auth/password/forgot").expect_fields(&["email"]);
    post("/auth/email/verify").expect_fields(&["token"]);
    post("/auth/email/resend").expect_fields(&["email"]);
    post("/auth/email/change").expect_fields(&["password", "new_email"]);
    service.call("DELETE", "/auth/me").bearer(&own.access).json(&json!({})).send().expect_fields(&["password"]);
}

impl Service {
    /// Returns the SQL that formats a bytes column as hexadecimal digits.
    fn hex_of(&self, column: &str) -> String {
        if self.database.url().starts_with("sqlite") {
            format!("hex({column})")
        } else {
            format!("encode({column}, 'hex')")
        }
    }
}
