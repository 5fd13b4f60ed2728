//! `POST /auth/logout`.

use crate::harness::{jose, on_both_databases, services::Service, timing::unix_now};
use serde_json::json;

on_both_databases!(
    a_logout_revokes_the_token,
    a_malformed_forged_or_wrong_type_token_is_invalid,
    an_already_revoked_token_gets_200,
    an_unknown_but_genuine_token_gets_200,
    an_expired_but_genuine_token_gets_200,
    no_bearer_token_is_asked_for,
);

fn expect_logged_out(reply: &crate::harness::calls::Reply) {
    assert_eq!(reply.expect(200), json!({"message": "Logged out successfully"}));
}

fn a_logout_revokes_the_token(service: &Service) {
    let (account, pair) = service.session();
    let other = service.sign_in(&account);
    expect_logged_out(&service.logout(&pair.refresh));
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&other.refresh).expect(200);
}

fn a_malformed_forged_or_wrong_type_token_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    let input = pair.refresh.rsplit_once('.').unwrap().0;
    let forged = jose::signed_with(b"another secret of more than 32 bytes", input);
    for token in ["", "x", "a.b.c", &forged, &pair.access, &pair.refresh[1..], input] {
        service.logout(token).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.refresh(&pair.refresh).expect(200);
}

fn an_already_revoked_token_gets_200(service: &Service) {
    let (_, pair) = service.session();
    expect_logged_out(&service.logout(&pair.refresh));
    expect_logged_out(&service.logout(&pair.refresh));
    let (_, spent) = service.session();
    service.refresh(&spent.refresh).expect(200);
    expect_logged_out(&service.logout(&spent.refresh));
}

fn an_unknown_but_genuine_token_gets_200(service: &Service) {
    let (_, pair) = service.session();
    let unknown = jose::changed(&pair.refresh, "jti", "fedcba9876543210fedcba9876543210");
    expect_logged_out(&service.logout(&unknown));
    service.refresh(&pair.refresh).expect(200);
}

fn an_expired_but_genuine_token_gets_200(service: &Service) {
    let (_, pair) = service.session();
    let past = unix_now() - 1000;
    let expired = jose::with(&jose::with(&jose::claims(&pair.refresh), "exp", past), "iat", past - 60);
    expect_logged_out(&service.logout(&jose::token(&expired)));
    expect_logged_out(&service.logout(&pair.refresh));
}

fn no_bearer_token_is_asked_for(service: &Service) {
    let (_, pair) = service.session();
    let call = service.call("POST", "/auth/logout").bearer("nonsense");
    expect_logged_out(&call.json(&json!({"refresh_token": pair.refresh})).send());
}
