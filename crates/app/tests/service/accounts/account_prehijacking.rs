//! Account pre-hijacking (USENIX Security 2022): once the owner of an email address verifies it, everything
//! the attacker set up is invalid.

use super::{NEW, hidden};
use crate::prelude::*;

on_both_databases!(
    attackers_access_dies_once_the_owner_verifies,
    the_password_stays_only_if_it_is_the_owners,
    a_stale_bearer_or_wrong_password_uses_no_token_up,
    guesses_at_the_password_are_limited,
    the_page_asks_for_the_password,
    a_known_device_is_asked_for_no_password_and_keeps_it,
);

fn attackers_access_dies_once_the_owner_verifies(service: &Service) {
    // The attacker registers.
    let account = service.account();
    let sessions = [service.sign_in(&account), service.sign_in(&account)];
    let refreshed = service.renewed(&sessions[1]);
    let (_, theirs) = service.email_change(&sessions[0].access, &account.password);
    let reset = service.reset_token(&account, 2);
    // Not even a cookie in the reader's browser keeps the password: another site may have planted it.
    let planted = service.login(&account.email, &account.password).cookie();
    // The owner, who did not register, opens the email and presses the button.
    let token = service.verification_token(&account);
    let call = service.call("POST", "/account/verify").header("Cookie", &planted);
    let page = call.fields(&[("token", &token), ("asked", "password"), ("disowned", "")]).send();
    page.has_status(200);
    [&sessions[0], &refreshed].iter().for_each(|pair| service.expect_ended(pair));
    service.verify(&theirs).invalid();
    service.reset(&reset, NEW).invalid();
    // The page asks for a new password.
    let offered = hidden(page.text(), "token");
    let passwords = [("token", offered.as_str()), ("new_password", NEW), ("repetition", NEW)];
    service.submit("reset", &passwords).has_status(200);
    service.login(&account.email, &account.password).wrong_credentials();
    service.login(&account.email, NEW).expect(200);
}

fn the_password_stays_only_if_it_is_the_owners(service: &Service) {
    for proof in ["none", "null", "password", "session", "device"] {
        let account = service.account();
        let signed_in = service.login(&account.email, &account.password);
        let (own, other) = (Pair::of(&signed_in), service.sign_in(&account));
        let mut body = json!({"token": service.verification_token(&account)});
        let call = service.call("POST", "/auth/email/verify");
        let call = match proof {
            "session" => call.bearer(&own.access),
            "device" => call.header("Cookie", &signed_in.cookie()),
            _ => call,
        };
        match proof {
            "null" => body["password"] = json!(null),
            "password" => body["password"] = json!(account.password),
            _ => {}
        }
        let reply = call.json(&body).send().expect(200);
        let (keeps_password, keeps_session) =
            (matches!(proof, "password" | "session" | "device"), matches!(proof, "session" | "device"));
        assert_eq!(reply["sessions_ended"], if keeps_session { 1 } else { 2 }, "{proof}");
        service.expect_ended(&other);
        if keeps_session {
            service.me(&own.access).expect(200);
            service.refresh(&own.refresh).expect(200);
        } else {
            service.expect_ended(&own);
        }
        if keeps_password {
            assert_eq!(reply["reset_token"], json!(null), "{proof}");
            service.login(&account.email, &account.password).expect(200);
        } else {
            service.login(&account.email, &account.password).wrong_credentials();
            service.reset(reply["reset_token"].as_str().unwrap(), NEW).expect(200);
            service.login(&account.email, NEW).expect(200);
        }
    }
}

fn a_stale_bearer_or_wrong_password_uses_no_token_up(service: &Service) {
    let (account, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    let token = service.verification_token(&account);
    for bearer in ["x", pair.access.as_str()] {
        let reply = service.tell("POST", "/auth/email/verify", bearer, &json!({"token": token}));
        assert_eq!(reply.status, 401);
        assert!(reply.header("WWW-Authenticate").is_some(), "the bearer is what is wrong");
    }
    for password in ["", "not the password", &account.password.to_uppercase()] {
        let reply = service.confirm(&token, password);
        reply.wrong_credentials();
        assert_eq!(reply.header("WWW-Authenticate"), None, "no bearer is what is wrong");
    }
    service.confirm(&token, &account.password).expect(200);
    let spent = service.verify(&token);
    spent.invalid();
    assert_eq!(spent.header("WWW-Authenticate"), None, "the token is what is wrong");
}

fn guesses_at_the_password_are_limited(backend: Backend) {
    let setup = backend.service().unset("RATE_LIMIT_ENABLED").set("RATE_LIMIT_ACCOUNT", "3/15m");
    let service = setup.start();
    let account = service.account();
    let token = service.verification_token(&account);
    (0..3).for_each(|_| service.confirm(&token, "not the password").wrong_credentials());
    let refused = service.confirm(&token, &account.password);
    refused.expect_error(429, "RATE_LIMITED");
    assert!(refused.header("Retry-After").is_some());
    // Password guesses do not lock the owner out: the token works without the password.
    assert!(service.verify(&token).expect(200)["reset_token"].is_string());
}

fn the_page_asks_for_the_password(service: &Service) {
    let account = service.account();
    let token = service.verification_token(&account);
    let opened = service.get(&format!("/account/verify?token={token}"));
    let unanswered = service.submit("verify", &[("token", &token)]);
    for page in [&opened, &unanswered] {
        assert!(page.has_status(200).text().contains("Enter the password you chose"), "{}", page.text());
    }
    assert!(opened.text().contains("I didn't choose one: set a new password"), "{}", opened.text());
    let post = |password: &str| {
        let asked =
            [("token", token.as_str()), ("purpose", "verify_email"), ("asked", "password"), ("password", password)];
        service.submit("verify", &asked)
    };
    for wrong in ["", "not the password"] {
        let reply = post(wrong);
        let text = reply.has_status(422).text();
        let input = text.split("<input id=\"password\"").nth(1).expect("the field").split('>').next().unwrap();
        assert!(input.contains("aria-invalid=\"true\"") && !input.contains("value="), "{input}");
    }
    let done = post(&account.password);
    assert!(!done.has_status(200).text().contains("new_password"), "{}", done.text());
    service.login(&account.email, &account.password).expect(200);
}

fn a_known_device_is_asked_for_no_password_and_keeps_it(service: &Service) {
    let account = service.account();
    let signed_in = service.login(&account.email, &account.password);
    let (pair, other, cookie) = (Pair::of(&signed_in), service.sign_in(&account), signed_in.cookie());
    let token = service.verification_token(&account);
    let opened = service.call("GET", &format!("/account/verify?token={token}")).header("Cookie", &cookie).send();
    assert!(!opened.text().contains("type=\"password\""), "{}", opened.text());
    let call = service.call("POST", "/account/verify").header("Cookie", &cookie);
    call.fields(&[("token", &token)]).send().has_status(200);
    service.me(&pair.access).expect(200);
    service.refresh(&pair.refresh).expect(200);
    service.expect_ended(&other);
    service.login(&account.email, &account.password).expect(200);
}
