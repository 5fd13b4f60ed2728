//! `GET /auth/me`.

use crate::prelude::*;

on_both_databases!(
    me_is_the_register_shape_plus_email_verified,
    authorization_is_read_as_rfc_6750_has_it,
    token_without_a_session_depends_on_signature_and_account,
);

fn me_is_the_register_shape_plus_email_verified(service: &Service) {
    let (account, pair) = service.session();
    let me = service.me(&pair.access).expect(200);
    for name in ["created_at", "email", "email_verified", "id", "is_active"] {
        assert!(members(&me).contains(&name), "{me}");
    }
    assert_eq!((&me["id"], &me["email"]), (&account.id.into(), &account.email.into()));
    assert!(me["is_active"] == true && me["email_verified"] == false, "{me}");
    assert!(!me.to_string().contains("$2b$"));
}

fn authorization_is_read_as_rfc_6750_has_it(service: &Service) {
    let (_, pair) = service.session();
    let access = &pair.access;
    let call = |value: &str| service.call("GET", "/auth/me").header("Authorization", value).send();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        call(&format!("{scheme} {access}")).expect(200);
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        access,
        &format!("Basic {access}"),
        &format!("Bearer{access}"),
        &format!("Bearer {access} {access}"),
        &format!("Bearer \"{access}\""),
        &format!("Bearer {access},"),
        &format!("Token {access}"),
        // A refresh token authorizes nothing.
        &format!("Bearer {}", pair.refresh),
    ] {
        call(value).invalid();
    }
    let raw = |fields: &[u8]| {
        let parts: [&[u8]; 3] = [b"GET /auth/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", fields, b"\r\n\r\n"];
        service.raw(parts.concat())[0].status
    };
    assert_eq!(raw(format!("Authorization: Bearer x\r\nAuthorization: Bearer {access}").as_bytes()), 401);
    assert!(matches!(raw(b"Authorization: Bearer \xff\xfe"), 400 | 401));
}

fn token_without_a_session_depends_on_signature_and_account(service: &Service) {
    let (account, pair) = service.session();
    let token = jose::token(&jose::without(&jose::claims(&pair.access), "sid"));
    service.logout(&pair.refresh).expect(200);
    assert_eq!(service.me(&token).expect(200)["id"], account.id);
    let other = service.sign_in(&account);
    let listed = service.ask("GET", "/auth/sessions", &token).expect(200)["sessions"].clone();
    assert_eq!((&listed[0]["id"], &listed[0]["current"], &listed[1]), (&other.sid().into(), &false.into(), &().into()));
    service.disable(&account);
    service.me(&token).revoked();
    for id in [999_999_999, 0, -1, i64::MAX] {
        service.me(&jose::changed(&token, "sub", id.to_string())).invalid();
    }
}
