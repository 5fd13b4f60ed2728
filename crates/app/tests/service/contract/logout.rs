//! `POST /auth/logout`.

use crate::prelude::*;

on_both_databases!(a_logout_revokes_the_token, a_bad_token_is_invalid_and_a_genuine_one_always_gets_200);

fn a_logout_revokes_the_token(service: &Service) {
    let (account, pair) = service.session();
    let other = service.sign_in(&account);
    service.logout(&pair.refresh).expect(200);
    service.refresh(&pair.refresh).revoked();
    service.refresh(&other.refresh).expect(200);
}

fn a_bad_token_is_invalid_and_a_genuine_one_always_gets_200(service: &Service) {
    let (_, pair) = service.session();
    let input = pair.refresh.rsplit_once('.').unwrap().0;
    let forged = jose::signed_with(b"another secret of more than 32 bytes", input);
    for token in ["", "x", "a.b.c", &forged, &pair.access, &pair.refresh[1..], input] {
        service.logout(token).invalid();
    }
    let logged_out = |what: &str, token: &str| {
        assert_eq!(service.logout(token).expect(200), json!({"message": "Logged out successfully"}), "{what}");
    };
    logged_out("unknown", &jose::changed(&pair.refresh, "jti", "fedcba9876543210fedcba9876543210"));
    let next = service.renewed(&pair);
    logged_out("spent", &pair.refresh);
    service.refresh(&next.refresh).revoked();
    let past = unix_now() - 1000;
    let expired = jose::with(&jose::with(&jose::claims(&pair.refresh), "exp", past), "iat", past - 60);
    logged_out("expired", &jose::token(&expired));
    let (_, out) = service.session();
    ["live", "revoked"].iter().for_each(|what| logged_out(what, &out.refresh));
    // No bearer token is asked for.
    let (_, pair) = service.session();
    service.tell("POST", "/auth/logout", "nonsense", &json!({"refresh_token": pair.refresh})).expect(200);
}
