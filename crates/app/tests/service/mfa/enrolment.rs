//! `GET /auth/mfa`, `POST /auth/mfa/totp` and `POST /auth/mfa/totp/{id}/confirm`.

use crate::harness::mfa::texts;
use crate::harness::totp::Authenticator;
use crate::prelude::*;
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;

on_both_databases!(
    c1_1_an_account_without_a_factor_says_so,
    c1_2_an_enrolment_shows_secret_uri_and_picture_once,
    c1_2_a_name_has_1_to_64_characters,
    c1_3_a_pending_factor_is_none,
    c1_3_a_second_enrolment_replaces_the_pending_one,
    c1_4_a_sixth_factor_is_too_many,
    c1_5_the_first_factor_brings_codes_and_ends_other_sessions,
    c1_5_a_wrong_code_leaves_it_pending,
    c1_6_further_factors_bring_no_codes_and_end_nothing,
    c1_7_foreign_unknown_and_confirmed_ids_are_not_found,
);

const NONE: [&str; 4] = ["enabled", "factors", "passkeys", "recovery_codes_left"];

#[track_caller]
fn expect_none(state: &Value) {
    assert_eq!(members(state), NONE);
    assert_eq!(*state, json!({"enabled": false, "factors": [], "passkeys": 0, "recovery_codes_left": 0}));
}

fn c1_1_an_account_without_a_factor_says_so(service: &Service) {
    let (_, pair) = service.session();
    expect_none(&service.factors(&pair.access));
    for (method, path) in [
        ("GET", "/auth/mfa"),
        ("POST", "/auth/mfa/totp"),
        ("POST", "/auth/mfa/totp/x/confirm"),
        ("PATCH", "/auth/mfa/totp/x"),
        ("DELETE", "/auth/mfa/totp/x"),
        ("POST", "/auth/mfa/recovery-codes"),
        ("GET", "/auth/mfa/devices"),
        ("DELETE", "/auth/mfa/devices"),
        ("DELETE", "/auth/mfa/devices/x"),
        ("POST", "/auth/reauthenticate"),
        ("POST", "/auth/reauthenticate/options"),
    ] {
        let call = service.call(method, path);
        let call = if method == "GET" { call } else { call.json(&json!({})) };
        let reply = call.send();
        reply.invalid();
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{}", reply.request);
    }
}

/// Checks what an enrolment shows and returns its secret.
#[track_caller]
fn expect_shown(reply: &Reply, product: &str, email: &str) -> String {
    let shown = reply.expect(201);
    assert_eq!(members(&shown), ["expires_at", "id", "otpauth_uri", "qr_svg", "secret"]);
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    let secret = shown["secret"].as_str().unwrap().to_owned();
    assert_eq!((secret.len(), Authenticator::of(&secret).secret.len()), (32, 20), "160 bits: {secret}");
    let uri = shown["otpauth_uri"].as_str().unwrap();
    let (path, query) = uri.strip_prefix("otpauth://totp/").and_then(|rest| rest.split_once('?')).expect(uri);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    assert_eq!(decoded(path), format!("{product}:{email}"));
    let rest = query.strip_prefix(&format!("secret={secret}&issuer=")).expect(uri);
    let issuer = rest.strip_suffix("&algorithm=SHA1&digits=6&period=30").expect(uri);
    assert!(decoded(issuer) == product && !uri.contains([' ', '+']), "{uri}");
    let picture = shown["qr_svg"].as_str().unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
    assert!(!picture.contains("<script") && !picture.contains("href"), "{picture}");
    let expires: DateTime<Utc> = shown["expires_at"].as_str().unwrap().parse().unwrap();
    let left = expires.timestamp() - unix_now();
    assert!((570..=600).contains(&left) && shown["expires_at"].as_str().unwrap().ends_with('Z'), "{left}");
    secret
}

fn c1_2_an_enrolment_shows_secret_uri_and_picture_once(service: &Service) {
    let (account, pair) = service.session();
    let secrets = [(); 2].map(|()| expect_shown(&service.begin_factor(&pair.access), "Portcullis", &account.email));
    assert_ne!(secrets[0], secrets[1]);
    let (_, _, confirmed) = service.add_factor(&pair.access);
    for told in [confirmed, service.factors(&pair.access)] {
        assert!(!told.to_string().contains("secret") && !told.to_string().contains("otpauth"), "{told}");
    }
}

#[test]
fn c1_2_the_uri_names_the_product_whatever_its_name() {
    let service = Backend::Sqlite.service().set("APP_NAME", "Tür & Tor=1?").start();
    let account = Account { email: format!("a+b{}", fresh_email()), ..service.account() };
    service.register(&account.email, &account.password).expect(201);
    expect_shown(&service.begin_factor(&service.sign_in(&account).access), "Tür & Tor=1?", &account.email);
}

fn c1_2_a_name_has_1_to_64_characters(service: &Service) {
    let (_, pair) = service.session();
    let begin = |name: Value| service.tell("POST", "/auth/mfa/totp", &pair.access, &json!({"name": name}));
    for bad in [json!(""), json!("x".repeat(65)), json!("a\u{7}b"), json!(5), json!(["phone"])] {
        begin(bad).expect_fields(&["name"]);
    }
    // A missing name is "Authenticator".
    let (_, id, confirmed) = service.add_factor(&pair.access);
    assert_eq!((&confirmed["factor"]["id"], &confirmed["factor"]["name"]), (&json!(id), &json!("Authenticator")));
    let begun = begin(json!("é🔑".repeat(32))).expect(201);
    let code = Authenticator::of(begun["secret"].as_str().unwrap()).code();
    let confirmed = service.confirm_factor(&pair.access, begun["id"].as_str().unwrap(), &code).expect(200);
    assert_eq!(confirmed["factor"]["name"], "é🔑".repeat(32));
}

fn c1_3_a_pending_factor_is_none(service: &Service) {
    let (account, pair) = service.session();
    let id = service.begin_factor(&pair.access).expect(201)["id"].as_str().unwrap().to_owned();
    expect_none(&service.factors(&pair.access));
    service.sign_in(&account);
    assert!(!service.stored_hash(&account).contains("2fa"));
    let rename = service.tell("PATCH", &format!("/auth/mfa/totp/{id}"), &pair.access, &json!({"name": "phone"}));
    rename.not_found();
    service.remove_factor(&pair.access, &id).not_found();
}

fn c1_3_a_second_enrolment_replaces_the_pending_one(service: &Service) {
    let (_, pair) = service.session();
    let [(first, old), (second, new)] = [(); 2].map(|()| {
        let begun = service.begin_factor(&pair.access).expect(201);
        (begun["id"].as_str().unwrap().to_owned(), Authenticator::of(begun["secret"].as_str().unwrap()))
    });
    service.confirm_factor(&pair.access, &first, &old.code()).not_found();
    service.confirm_factor(&pair.access, &second, &new.code()).expect(200);
    assert_eq!(service.factors(&pair.access)["factors"].as_array().unwrap().len(), 1);
}

fn c1_4_a_sixth_factor_is_too_many(service: &Service) {
    let Enrolled { account, pair, .. } = service.enrolled();
    (0..4).for_each(|_| drop(service.add_factor(&pair.access)));
    service.begin_factor(&pair.access).conflict("too_many");
    let listed = service.factors(&pair.access)["factors"].as_array().unwrap().clone();
    assert_eq!((listed.len(), service.rows_of(&account, "totp_factors")), (5, 5));
    service.remove_factor(&pair.access, listed[0]["id"].as_str().unwrap()).has_status(204);
    service.begin_factor(&pair.access).expect(201);
}

fn c1_5_the_first_factor_brings_codes_and_ends_other_sessions(service: &Service) {
    let (account, own) = service.session();
    let others = [service.sign_in(&account), service.sign_in(&account)];
    let (_, id, body) = service.add_factor(&own.access);
    assert_eq!(members(&body), ["factor", "recovery_codes", "sessions_ended"]);
    assert_eq!(body["sessions_ended"], 2);
    let factor = &body["factor"];
    assert_eq!(members(factor), ["created_at", "id", "last_used_at", "name", "type"]);
    assert_eq!((&factor["id"], &factor["type"]), (&json!(id), &json!("totp")));
    let created: DateTime<Utc> = factor["created_at"].as_str().unwrap().parse().unwrap();
    assert!((created.timestamp() - unix_now()).abs() < 60, "{created}");
    let codes = texts(&body["recovery_codes"]);
    let unique: std::collections::HashSet<_> = codes.iter().collect();
    assert_eq!((codes.len(), unique.len()), (10, 10));
    for code in &codes {
        let groups: Vec<_> = code.split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{code}");
        // Crockford's alphabet has no I, L, O and U.
        let symbols = code.bytes().filter(|symbol| *symbol != b'-');
        assert!(symbols.into_iter().all(|symbol| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&symbol)), "{code}");
    }
    let state = service.factors(&own.access);
    assert_eq!(members(&state), NONE);
    assert_eq!((&state["enabled"], &state["passkeys"]), (&json!(true), &json!(0)));
    assert_eq!((&state["recovery_codes_left"], state["factors"].as_array().unwrap().len()), (&json!(10), 1));
    assert_eq!((members(&state["factors"][0]), &state["factors"][0]["id"]), (members(factor), &json!(id)));
    for other in &others {
        assert_eq!(service.verdicts(&own.access, &other.sid())[0], "mfa_enabled");
    }
    // The FastAPI application reads this column alone.
    let live = format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id);
    assert_eq!(service.database.texts("jti", &live), [own.jti()]);
    others.iter().for_each(|other| service.expect_ended(other));
    service.renewed(&own);
}

fn c1_5_a_wrong_code_leaves_it_pending(service: &Service) {
    let (account, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    let (id, app) = (begun["id"].as_str().unwrap(), Authenticator::of(begun["secret"].as_str().unwrap()));
    for wrong in [app.wrong(), "12345".to_owned(), "1234567".to_owned(), "abcdef".to_owned()] {
        let reply = service.confirm_factor(&pair.access, id, &wrong);
        reply.wrong_credentials();
        assert_eq!(reply.header("WWW-Authenticate"), None, "the bearer is as good as before");
    }
    service.tell("POST", &format!("/auth/mfa/totp/{id}/confirm"), &pair.access, &json!({})).expect_fields(&["code"]);
    service.sign_in(&account);
    service.confirm_factor(&pair.access, id, &app.code()).expect(200);
}

fn c1_6_further_factors_bring_no_codes_and_end_nothing(service: &Service) {
    let enrolled = service.enrolled();
    let other = service.sign_in_fully(&enrolled);
    let (app, id, body) = service.add_factor(&enrolled.pair.access);
    assert!(body["recovery_codes"].is_null(), "{body}");
    assert_eq!(body["sessions_ended"], 0);
    let state = service.factors(&other.access);
    let mut ids: Vec<_> = state["factors"].as_array().unwrap().iter().map(|factor| &factor["id"]).collect();
    ids.sort_by_key(ToString::to_string);
    let mut expected = [json!(enrolled.factor), json!(id)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!((ids, &state["recovery_codes_left"]), (expected.iter().collect(), &json!(10)));
    // Either app signs in.
    service.sign_in_fully(&enrolled);
    service.sign_in_fully(&Enrolled { app, ..enrolled });
}

fn c1_7_foreign_unknown_and_confirmed_ids_are_not_found(service: &Service) {
    let (theirs, (_, own)) = (service.enrolled(), service.session());
    let begun = service.begin_factor(&own.access).expect(201);
    let (id, app) = (begun["id"].as_str().unwrap(), Authenticator::of(begun["secret"].as_str().unwrap()));
    service.confirm_factor(&theirs.pair.access, id, &app.code()).not_found();
    service.confirm_factor(&own.access, &theirs.factor, &theirs.app.code()).not_found();
    service.confirm_factor(&theirs.pair.access, &theirs.factor, &service.fresh_code(&theirs)).not_found();
    for unknown in ["x", "0123456789abcdef0123456789abcdef", "%00", "%C3%A9"] {
        service.confirm_factor(&own.access, unknown, &app.code()).not_found();
    }
    service.confirm_factor(&own.access, id, &app.code()).expect(200);
}
