//! Signed tokens and their lifetimes.

use crate::harness::calls::members;
use crate::harness::databases::Backend;
use crate::harness::jose::{self, HEADER};
use crate::harness::services::{SECRET, Service, random_secret};
use crate::harness::{on_both_databases, timing::unix_now};
use serde_json::Value;

on_both_databases!(
    tokens_are_jws_with_these_claims,
    tokens_are_signed_with_the_secret,
    lifetimes_are_the_configured_ones,
    there_is_no_leeway_on_exp,
    iat_may_lie_a_minute_ahead,
    nbf_in_the_future_is_invalid,
    a_token_over_8_kib_is_refused_unread,
    base64url_is_canonical_and_unpadded,
    a_token_cut_at_either_end_is_invalid,
    nothing_stored_is_a_usable_token,
    a_token_of_another_secret_is_invalid,
);

fn tokens_are_jws_with_these_claims(service: &Service) {
    let (_, pair) = service.session();
    for (token, kind, lifetime) in [(&pair.access, "access", 900), (&pair.refresh, "refresh", 7 * 86_400)] {
        assert_eq!(token.split('.').count(), 3);
        let header: Value = serde_json::from_slice(&jose::part(token, 0)).unwrap();
        assert_eq!(header["alg"], "HS256");
        let claims = jose::claims(token);
        for name in ["exp", "iat", "jti", "sub", "type"] {
            assert!(members(&claims).contains(&name), "{claims}");
        }
        assert_eq!(claims["type"], kind);
        assert!(claims["sub"].is_string());
        let jti = claims["jti"].as_str().unwrap();
        assert!(jti.len() == 32 && jti.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{jti}");
        let (exp, iat) = (claims["exp"].as_i64().unwrap(), claims["iat"].as_i64().unwrap());
        assert_eq!(exp - iat, lifetime);
        assert!((iat - unix_now()).abs() < 60);
        assert!(!String::from_utf8(jose::part(token, 1)).unwrap().contains('@'), "no personal data");
    }
}

fn tokens_are_signed_with_the_secret(service: &Service) {
    let (_, pair) = service.session();
    for token in [&pair.access, &pair.refresh] {
        let (input, _) = token.rsplit_once('.').unwrap();
        assert_eq!(jose::signed_with(SECRET.as_bytes(), input), *token);
    }
}

fn lifetimes_are_the_configured_ones(backend: Backend) {
    let setup = backend.service().set("ACCESS_TOKEN_EXPIRE_MINUTES", "3").set("REFRESH_TOKEN_EXPIRE_DAYS", "2");
    let service = setup.start();
    let account = service.account();
    let body = service.login(&account.email, &account.password).expect(200);
    assert_eq!(body["expires_in"], 180);
    for (name, lifetime) in [("access_token", 180), ("refresh_token", 2 * 86_400)] {
        let claims = jose::claims(body[name].as_str().unwrap());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), lifetime);
    }
}

fn there_is_no_leeway_on_exp(service: &Service) {
    let account = service.account();
    let claims = jose::access_claims(account.id);
    let now = unix_now();
    for exp in [now - 59, now - 1, now, 1, 0] {
        service.me(&jose::token(&jose::with(&claims, "exp", exp))).expect_error(401, "AUTH_TOKEN_EXPIRED");
    }
    service.me(&jose::token(&jose::with(&claims, "exp", now + 30))).expect(200);
}

fn iat_may_lie_a_minute_ahead(service: &Service) {
    let (account, pair) = service.session();
    let claims = jose::with(&jose::access_claims(account.id), "exp", unix_now() + 1000);
    let at = |ahead: i64| jose::token(&jose::with(&claims, "iat", unix_now() + ahead));
    for ahead in [-1_000_000, 0, 55] {
        service.me(&at(ahead)).expect(200);
    }
    for ahead in [75, 3600, 1_000_000_000] {
        service.me(&at(ahead)).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    let ahead = jose::changed(&pair.refresh, "iat", unix_now() + 75);
    service.refresh(&ahead).expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&jose::changed(&pair.refresh, "iat", unix_now() + 50)).expect(200);
}

fn nbf_in_the_future_is_invalid(service: &Service) {
    let (account, pair) = service.session();
    let claims = jose::access_claims(account.id);
    let now = unix_now();
    service.me(&jose::token(&jose::with(&claims, "nbf", now - 5))).expect(200);
    service.me(&jose::token(&jose::with(&claims, "nbf", now + 1000))).expect_error(401, "AUTH_TOKEN_INVALID");
    for nbf in ["x", "0"] {
        service.me(&jose::token(&jose::with(&claims, "nbf", nbf))).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.refresh(&jose::changed(&pair.refresh, "nbf", now + 1000)).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_token_over_8_kib_is_refused_unread(service: &Service) {
    let (account, pair) = service.session();
    let padded = |claims: &Value, length: usize| {
        let token = |padding: usize| jose::token(&jose::with(claims, "padding", "x".repeat(padding)));
        // Three bytes of claims become four characters of the token.
        let missing = length.saturating_sub(token(0).len()) * 3 / 4;
        token(missing)
    };
    let claims = jose::access_claims(account.id);
    let fits = padded(&claims, 8180);
    assert!((8100..=8192).contains(&fits.len()));
    service.me(&fits).expect(200);
    let too_long = padded(&claims, 8210);
    assert!((8193..8300).contains(&too_long.len()));
    service.me(&too_long).expect_error(401, "AUTH_TOKEN_INVALID");
    for length in [8210, 60_000] {
        let long = padded(&jose::claims(&pair.refresh), length);
        service.refresh(&long).expect_error(401, "AUTH_TOKEN_INVALID");
        service.logout(&long).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn base64url_is_canonical_and_unpadded(service: &Service) {
    let account = service.account();
    let token = jose::token(&jose::access_claims(account.id));
    service.me(&token).expect(200);
    // A 32-byte signature has 43 characters. The last one encodes 4 bits and leaves two unused.
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let value = ALPHABET.find(last).unwrap();
    for other in (value + 1)..(value / 4 * 4 + 4) {
        let spelled = format!("{rest}{}", &ALPHABET[other..=other]);
        service.me(&spelled).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    let parts: Vec<_> = token.split('.').collect();
    let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    let standard = token.replace('-', "+").replace('_', "/");
    let mut spellings = vec![padded, format!("{token}="), token.replace('.', ". "), token.replace('.', "..")];
    spellings.extend((standard != token).then_some(standard));
    for spelled in spellings {
        service.me(&spelled).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    // Correctly signed as written, but not canonical.
    let resigned = jose::signed_with(SECRET.as_bytes(), &format!("{}=.{}", parts[0], parts[1]));
    service.me(&resigned).expect_error(401, "AUTH_TOKEN_INVALID");
    let spaced = jose::signed(&format!(" {HEADER} "), &jose::access_claims(account.id).to_string());
    service.me(&spaced).expect(200);
}

fn a_token_cut_at_either_end_is_invalid(service: &Service) {
    let (_, pair) = service.session();
    let cut = |token: &str| [token[1..].to_owned(), token[..token.len() - 1].to_owned(), format!("{token}.{token}")];
    for token in cut(&pair.access) {
        service.me(&token).expect_error(401, "AUTH_TOKEN_INVALID");
    }
    for token in cut(&pair.refresh) {
        service.refresh(&token).expect_error(401, "AUTH_TOKEN_INVALID");
        service.logout(&token).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn nothing_stored_is_a_usable_token(backend: Backend) {
    let service = backend.service().start();
    let (_, pair) = service.session();
    let next = crate::harness::accounts::Pair::of(&service.refresh(&pair.refresh));
    let dump = service.database.dump();
    assert!(dump.contains(&next.jti()), "the dump is whole");
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        for part in token.split('.') {
            assert!(!dump.contains(part), "a part of a token is stored: {part}");
        }
    }
    service.refresh(&next.jti()).expect_error(401, "AUTH_TOKEN_INVALID");
    service.me(&next.jti()).expect_error(401, "AUTH_TOKEN_INVALID");
}

fn a_token_of_another_secret_is_invalid(backend: Backend) {
    let service = backend.service().start();
    let (_, pair) = service.session();
    let other = service.again().set("SECRET_KEY", &random_secret()).start();
    other.me(&pair.access).expect_error(401, "AUTH_TOKEN_INVALID");
    other.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_INVALID");
    other.logout(&pair.refresh).expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&pair.refresh).expect(200);
}
