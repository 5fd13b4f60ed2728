//! `GET /auth/me`.

use crate::harness::calls::members;
use crate::harness::{jose, on_both_databases, services::Service};

on_both_databases!(
    me_is_the_register_shape_plus_email_verified,
    the_bearer_scheme_is_read_as_rfc_6750_has_it,
    a_missing_or_malformed_authorization_is_invalid,
    a_refresh_token_authorises_nothing,
    a_token_of_an_inactive_account_is_revoked,
    a_token_of_an_account_that_is_gone_is_invalid,
    a_token_without_a_session_is_judged_by_signature_and_account,
);

fn me_is_the_register_shape_plus_email_verified(service: &Service) {
    let (account, pair) = service.session();
    let me = service.me(&pair.access).expect(200);
    for name in ["created_at", "email", "email_verified", "id", "is_active"] {
        assert!(members(&me).contains(&name), "{me}");
    }
    assert_eq!((&me["id"], &me["email"]), (&account.id.into(), &account.email.into()));
    assert_eq!(me["is_active"], true);
    assert!(me["email_verified"].is_boolean());
    assert!(!me.to_string().contains("$2b$"));
}

fn the_bearer_scheme_is_read_as_rfc_6750_has_it(service: &Service) {
    let (_, pair) = service.session();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let reply =
            service.call("GET", "/auth/me").header("Authorization", &format!("{scheme} {}", pair.access)).send();
        assert_eq!(reply.status, 200, "{scheme}");
    }
}

fn a_missing_or_malformed_authorization_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    let access = &pair.access;
    service.get("/auth/me").expect_error(401, "AUTH_TOKEN_INVALID");
    let values = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        access.clone(),
        format!("Basic {access}"),
        format!("Bearer{access}"),
        format!("Bearer {access} {access}"),
        format!("Bearer \"{access}\""),
        format!("Bearer {access},"),
        format!("Token {access}"),
    ];
    for value in values {
        let reply = service.call("GET", "/auth/me").header("Authorization", &value).send();
        reply.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    let two = format!(
        "GET /auth/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {access}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(service.raw(two)[0].status, 401);
    let bytes =
        service.raw(b"GET /auth/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n");
    assert!(matches!(bytes[0].status, 400 | 401), "{bytes:?}");
}

fn a_refresh_token_authorises_nothing(service: &Service) {
    let (_, pair) = service.session();
    service.me(&pair.refresh).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_token_of_an_inactive_account_is_revoked(service: &Service) {
    let (account, pair) = service.session();
    service.disable(&account);
    service.me(&pair.access).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn a_token_of_an_account_that_is_gone_is_invalid(service: &Service) {
    for id in [999_999_999, 0, -1, i64::MAX] {
        let token = jose::token(&jose::access_claims(1));
        let token = jose::changed(&token, "sub", id.to_string());
        service.me(&token).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn a_token_without_a_session_is_judged_by_signature_and_account(service: &Service) {
    let account = service.account();
    let token = jose::token(&jose::access_claims(account.id));
    assert_eq!(service.me(&token).expect(200)["id"], account.id);
}
