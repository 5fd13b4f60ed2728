//! `POST /auth/password/change`, `/forgot` and `/reset`.

use super::NEW;
use crate::harness::mails::Mail;
use crate::prelude::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

on_both_databases!(
    password_change_ends_other_sessions_and_tells_the_owner,
    another_current_password_is_invalid_credentials,
    a_reset_ends_every_session_verifies_and_signs_nobody_in,
    a_token_is_good_for_one_use_however_many_show_it_at_once,
    a_token_dies_with_its_time_and_by_a_newer_one,
    only_a_hash_of_the_token_is_stored,
    a_bad_token_is_invalid_and_a_bad_password_uses_none_up,
    members_are_checked_field_by_field,
);

fn password_change_ends_other_sessions_and_tells_the_owner(service: &Service) {
    let (account, own) = service.session();
    let others = [service.sign_in(&account), service.sign_in(&account)];
    // A link requested under the old password is no longer sent.
    service.wait_for_mails(&account.email, 1);
    let reply = service.change_password(&own.access, &account.password, NEW);
    assert!(reply.expect(200)["message"].is_string());
    others.iter().for_each(|other| service.expect_ended(other));
    service.me(&own.access).expect(200);
    service.refresh(&own.refresh).expect(200);
    service.login(&account.email, &account.password).wrong_credentials();
    service.login(&account.email, NEW).expect(200);
    let mails = service.wait_for_mails(&account.email, 2);
    let notices: Vec<_> = mails.iter().filter(|mail| !mail.text.contains("token=")).collect();
    assert_eq!(notices.len(), 1, "{mails:?}");
    assert!(!notices[0].whole.contains(NEW) && !notices[0].whole.contains(&account.password));
}

fn another_current_password_is_invalid_credentials(service: &Service) {
    let (account, own) = service.session();
    let other = service.sign_in(&account);
    let reply = service.change_password(&own.access, "not the password", NEW);
    reply.wrong_credentials();
    assert_eq!(reply.header("WWW-Authenticate"), None, "the bearer is as good as before");
    service.refresh(&other.refresh).expect(200);
    service.login(&account.email, &account.password).expect(200);
    service.post("/auth/password/change", &json!({})).invalid();
}

#[test]
fn a_new_password_is_as_good_as_a_registered_one() {
    let service = Backend::Sqlite.service().set("PASSWORD_BLOCKLIST", "true").set("PASSWORD_MIN_LENGTH", "10").start();
    let (account, own) = service.session();
    let token = service.reset_token(&account, 2);
    for (password, code) in
        [("9 letters", "string_too_short"), (&"x".repeat(257), "string_too_long"), ("password123", "password_common")]
    {
        for reply in
            [service.change_password(&own.access, &account.password, password), service.reset(&token, password)]
        {
            reply.expect_fields(&["new_password"]);
            assert_eq!(reply.json()["error"]["details"]["errors"][0]["code"], code);
        }
    }
    let long = format!("{}é🔑", "x".repeat(200));
    service.reset(&token, &long).expect(200);
    service.login(&account.email, &long).expect(200);
    service.login(&account.email, &long[..199]).wrong_credentials();
}

fn a_reset_ends_every_session_verifies_and_signs_nobody_in(service: &Service) {
    let account = service.account();
    let sessions = [service.sign_in(&account), service.sign_in(&account)];
    let reply = service.reset(&service.reset_token(&account, 2), NEW);
    let body = reply.expect(200);
    assert!(body["message"].is_string() && body.get("access_token").is_none(), "{body}");
    let cookie = reply.header("Set-Cookie").expect("the device is known from now on");
    assert!(cookie.starts_with("portcullis_device=") && cookie.contains("HttpOnly"), "{cookie}");
    sessions.iter().for_each(|pair| service.expect_ended(pair));
    service.login(&account.email, &account.password).wrong_credentials();
    // The token came to the address, which is thereby verified.
    let pair = service.sign_in(&account.with_password(NEW));
    assert_eq!(service.me(&pair.access).expect(200)["email_verified"], true);
}

fn a_token_is_good_for_one_use_however_many_show_it_at_once(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let replies = at_once(8, |number| service.reset(&token, &format!("a new password {number}")));
    let winners: Vec<_> = replies.iter().enumerate().filter(|(_, reply)| reply.status == 200).collect();
    let [(winner, _)] = winners[..] else { panic!("{replies:?}") };
    replies.iter().filter(|reply| reply.status != 200).for_each(|reply| reply.invalid());
    service.login(&account.email, &format!("a new password {winner}")).expect(200);
    service.reset(&token, NEW).invalid();
}

/// The use case's tests have every other end of a token.
fn a_token_dies_with_its_time_and_by_a_newer_one(service: &Service) {
    let account = service.account();
    let token = service.reset_token(&account, 2);
    service.expect_lifetime(&account, "reset_password", 1800);
    service.forgot(&account.email).expect(202);
    let is_alive = |token: &String| service.get(&format!("/account/reset?token={token}")).status == 200;
    let mails = service.wait_for_mails(&account.email, 3);
    let newer = mails.iter().map(Mail::token).find(|other| *other != token && is_alive(other)).expect("a newer one");
    service.reset(&token, NEW).invalid();
    service.expire_tokens(&account);
    service.reset(&newer, NEW).expired();
    service.login(&account.email, &account.password).expect(200);
}

fn only_a_hash_of_the_token_is_stored(backend: Backend) {
    let service = backend.service().start();
    let account = service.account();
    let token = service.reset_token(&account, 2);
    let bytes = hex::decode(&token).unwrap();
    let dump = service.database.dump();
    assert!(dump.contains(&account.email), "it is a dump");
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    for spelling in [token.clone(), token.to_uppercase(), STANDARD.encode(&bytes), raw] {
        assert!(!dump.contains(&spelling), "{spelling}");
    }
    // The stored digest cannot be used as a token.
    let is_sqlite = service.database.url().starts_with("sqlite");
    let digest = if is_sqlite { "hex(digest)" } else { "encode(digest, 'hex')" };
    for stored in service.database.texts(digest, "FROM one_time_tokens") {
        service.reset(&stored.to_lowercase(), NEW).invalid();
    }
}

fn a_bad_token_is_invalid_and_a_bad_password_uses_none_up(service: &Service) {
    let account = service.account();
    let verification = service.verification_token(&account);
    let token = service.reset_token(&account, 2);
    let (upper, spaced) = (token.to_uppercase(), format!("{token} "));
    for bad in ["", "x", "ab", &upper, &spaced, &"0".repeat(64), &verification, &"é".repeat(32)] {
        service.reset(bad, NEW).invalid();
    }
    service.verify(&token).invalid();
    service.reset(&token, "short").expect_fields(&["new_password"]);
    service.reset(&token, NEW).expect(200);
}

fn members_are_checked_field_by_field(service: &Service) {
    let (_, own) = service.session();
    for (method, path, fields) in [
        ("POST", "/auth/password/change", ["current_password", "new_password"].as_slice()),
        ("POST", "/auth/password/reset", &["token", "new_password"]),
        ("POST", "/auth/password/forgot", &["email"]),
        ("POST", "/auth/email/verify", &["token"]),
        ("POST", "/auth/email/resend", &["email"]),
        ("POST", "/auth/email/change", &["password", "new_email"]),
        ("DELETE", "/auth/me", &["password"]),
    ] {
        service.tell(method, path, &own.access, &json!({"x": 1})).expect_fields(fields);
    }
}
