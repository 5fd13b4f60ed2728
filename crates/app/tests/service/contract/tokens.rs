//! Signed tokens, their lifetimes and their spelling. `token_forgeries` tests those that must be refused.

use crate::harness::jose::HEADER;
use crate::prelude::*;

on_both_databases!(
    tokens_are_jws_with_these_claims_signed_with_the_secret,
    exp_has_no_leeway_and_iat_may_be_a_minute_ahead,
    a_token_over_8_kib_is_refused_unread,
    headers_and_claims_of_other_libraries_are_accepted,
);

fn tokens_are_jws_with_these_claims_signed_with_the_secret(service: &Service) {
    let (account, pair) = service.session();
    for (token, kind, lifetime) in [(&pair.access, "access", 900), (&pair.refresh, "refresh", 7 * 86_400)] {
        let (input, _) = token.rsplit_once('.').unwrap();
        assert_eq!(jose::signed_with(SECRET.as_bytes(), input), *token);
        assert_eq!(String::from_utf8(jose::part(token, 0)).unwrap().replace(' ', ""), r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = jose::claims(token);
        assert_eq!(members(&claims), ["exp", "iat", "jti", "sid", "sub", "type"], "no personal data");
        assert_eq!((&claims["type"], &claims["sub"]), (&json!(kind), &json!(account.id.to_string())));
        let jti = claims["jti"].as_str().unwrap();
        assert!(jti.len() == 32 && jti.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{jti}");
        let (exp, iat) = (claims["exp"].as_i64().unwrap(), claims["iat"].as_i64().unwrap());
        assert_eq!(exp - iat, lifetime);
        assert!((iat - unix_now()).abs() < 60);
    }
}

#[test]
fn lifetimes_are_the_configured_ones() {
    let setup = Backend::Sqlite.service().set("ACCESS_TOKEN_EXPIRE_MINUTES", "3").set("REFRESH_TOKEN_EXPIRE_DAYS", "2");
    let service = setup.start();
    let account = service.account();
    let body = service.login(&account.email, &account.password).expect(200);
    assert_eq!(body["expires_in"], 180);
    for (name, lifetime) in [("access_token", 180), ("refresh_token", 2 * 86_400)] {
        let claims = jose::claims(body[name].as_str().unwrap());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), lifetime);
    }
}

fn exp_has_no_leeway_and_iat_may_be_a_minute_ahead(service: &Service) {
    let (account, pair) = service.session();
    let now = unix_now();
    let claims = jose::with(&jose::access_claims(account.id), "exp", now + 1000);
    let me = |name: &str, value: i64| service.me(&jose::token(&jose::with(&claims, name, value)));
    for exp in [now - 59, now - 1, now, 1, 0] {
        me("exp", exp).expired();
    }
    for (name, value) in
        [("exp", now + 30), ("iat", now - 1_000_000), ("iat", now), ("iat", now + 55), ("nbf", now - 5)]
    {
        me(name, value).expect(200);
    }
    for ahead in [75, 3600, 1_000_000_000] {
        me("iat", unix_now() + ahead).invalid();
    }
    service.refresh(&jose::changed(&pair.refresh, "iat", unix_now() + 75)).invalid();
    service.refresh(&jose::changed(&pair.refresh, "iat", unix_now() + 50)).expect(200);
}

fn a_token_over_8_kib_is_refused_unread(service: &Service) {
    let (account, pair) = service.session();
    let padded = |claims: &Value, length: usize| {
        let token = |padding: usize| jose::token(&jose::with(claims, "padding", "x".repeat(padding)));
        // Three bytes of claims become four characters of the token.
        token(length.saturating_sub(token(0).len()) * 3 / 4)
    };
    let claims = jose::access_claims(account.id);
    let (fits, too_long) = (padded(&claims, 8180), padded(&claims, 8210));
    assert!((8100..=8192).contains(&fits.len()) && (8193..8300).contains(&too_long.len()));
    service.me(&fits).expect(200);
    service.me(&too_long).invalid();
    for length in [8210, 60_000] {
        let long = padded(&jose::claims(&pair.refresh), length);
        service.refresh(&long).invalid();
        service.logout(&long).invalid();
    }
}

fn headers_and_claims_of_other_libraries_are_accepted(service: &Service) {
    let (_, pair) = service.session();
    let text = |token: &str| String::from_utf8(jose::part(token, 1)).unwrap();
    for header in [r#"{"alg":"HS256"}"#, r#"{"typ":"JWT","alg":"HS256"}"#, "{ \"alg\" : \"HS256\" }"] {
        service.me(&jose::signed(header, &text(&pair.access))).expect(200);
    }
    // Base64url is unpadded, also where it is correctly signed as written.
    let input = format!("{}=.{}", jose::base64url(HEADER), jose::base64url(text(&pair.access)));
    for padded in [jose::signed_with(SECRET.as_bytes(), &input), format!("{}=", pair.access)] {
        service.me(&padded).invalid();
    }
    // Unknown claims are ignored.
    let more = |token: &str| {
        let claims = jose::with(&jose::claims(token), "role", json!(["admin"]));
        jose::token(&jose::with(&jose::with(&claims, "iss", "elsewhere"), "name", json!({"first": "é"})))
    };
    service.me(&more(&pair.access)).expect(200);
    let pair = Pair::of(&service.refresh(&more(&pair.refresh)));
    // Header and member order as python-jose writes them.
    let [access, refresh] = [&pair.access, &pair.refresh].map(|token| {
        let c = jose::claims(token);
        let (sub, jti, kind, exp, iat) = (&c["sub"], &c["jti"], &c["type"], &c["exp"], &c["iat"]);
        jose::signed(HEADER, &format!(r#"{{"sub":{sub},"jti":{jti},"type":{kind},"exp":{exp},"iat":{iat}}}"#))
    });
    service.me(&access).expect(200);
    service.refresh(&refresh).expect(200);
}

#[test]
fn a_token_of_another_secret_is_invalid() {
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    let other = service.again().set("SECRET_KEY", &random_secret()).start();
    other.me(&pair.access).invalid();
    other.refresh(&pair.refresh).invalid();
    other.logout(&pair.refresh).invalid();
    service.refresh(&pair.refresh).expect(200);
}
