//! Claims of ID tokens in the web flow.

use crate::test_keys::RSA;
use crate::world::{CLIENT, ISSUER, NOW, USERINFO, World, claims, failure, header, rejection, token_with};
use portcullis_domain::providers::IdentityKey;
use portcullis_ports::OutboundError;
use serde_json::{Value, json};
use std::time::Duration;

fn accepts(changes: Value) {
    let shown = changes.to_string();
    let outcome = World::new().redeem_token(&token_with(changes));
    assert!(outcome.is_ok(), "{shown}: {outcome:?}");
}

fn refuses(changes: Value, reason: &str) {
    let shown = changes.to_string();
    assert_eq!(rejection(World::new().redeem_token(&token_with(changes))), reason, "{shown}");
}

/// oidcc-client-test
#[test]
fn valid_token_signs_in() {
    let profile = World::new().redeem().unwrap();
    assert_eq!(profile.key, IdentityKey::new(ISSUER, "u1").unwrap());
    assert_eq!(profile.email.unwrap().original(), "Ada@example.com");
    assert_eq!((profile.email_trusted, profile.domain.as_deref()), (true, Some("example.com")));
    assert!(!profile.multi_factor);
}

/// oidcc-client-test-invalid-iss
#[test]
fn invalid_iss_is_refused() {
    for issuer in ["https://op.example/", "https://OP.example", "https://evil.example", ""] {
        refuses(json!({ "iss": issuer }), "iss");
    }
}

/// oidcc-client-test-invalid-aud, oidcc-client-test-missing-aud
#[test]
fn invalid_and_missing_aud_are_refused() {
    for audience in [json!("other"), json!(["other"]), json!([]), json!("client-10"), json!("app-1")] {
        refuses(json!({ "aud": audience }), "aud");
    }
    for audience in [Value::Null, json!(1), json!([CLIENT, 1]), json!({ CLIENT: 1 })] {
        refuses(json!({ "aud": audience }), "aud is missing or malformed");
    }
    accepts(json!({ "aud": [CLIENT] }));
}

#[test]
fn azp_names_the_client_and_is_required_with_several_aud() {
    accepts(json!({"aud": [CLIENT, "other"], "azp": CLIENT}));
    accepts(json!({ "azp": CLIENT }));
    refuses(json!({ "aud": [CLIENT, "other"] }), "several aud without azp");
    refuses(json!({"aud": [CLIENT, "other"], "azp": "other"}), "azp");
    refuses(json!({ "azp": "app-1" }), "azp");
    refuses(json!({ "azp": [CLIENT] }), "azp is missing or malformed");
}

/// oidcc-client-test-missing-sub
#[test]
fn missing_and_overlong_sub_are_refused() {
    for subject in [Value::Null, json!(7), json!(["u1"])] {
        refuses(json!({ "sub": subject }), "sub is missing or malformed");
    }
    for subject in [String::new(), "x".repeat(256), "a\nb".to_owned()] {
        refuses(json!({ "sub": subject }), "sub");
    }
    accepts(json!({ "sub": "é".repeat(255) }));
}

/// oidcc-client-test-missing-iat
#[test]
fn missing_iat_and_future_iat_are_refused() {
    for issued_at in [Value::Null, json!(NOW.to_string()), json!(1.8e9)] {
        refuses(json!({ "iat": issued_at }), "iat is missing or malformed");
    }
    refuses(json!({ "iat": NOW + 61 }), "iat is in the future");
    accepts(json!({ "iat": NOW + 60 }));
    refuses(json!({ "iat": i64::MAX }), "iat is in the future");
    refuses(json!({ "nbf": NOW + 61 }), "nbf");
    refuses(json!({ "nbf": "0" }), "nbf is missing or malformed");
    accepts(json!({ "nbf": NOW + 60 }));
}

#[test]
fn expired_token_is_refused_after_the_leeway() {
    accepts(json!({ "exp": NOW - 59 }));
    for expiry in [NOW - 60, 0, i64::MIN] {
        refuses(json!({ "exp": expiry }), "exp");
    }
    for expiry in [Value::Null, json!("9999999999"), json!(1e12), json!(true)] {
        refuses(json!({ "exp": expiry }), "exp is missing or malformed");
    }
}

/// oidcc-client-test-nonce-invalid
#[test]
fn invalid_and_missing_nonce_are_refused() {
    for nonce in [json!("other"), json!(""), Value::Null] {
        refuses(json!({ "nonce": nonce }), "nonce");
    }
    refuses(json!({ "nonce": 1 }), "nonce is missing or malformed");
}

#[test]
fn duplicate_members_and_other_json_are_refused() {
    let world = World::new();
    let claims = claims().to_string();
    let doubled = format!("{},\"sub\":\"u2\"}}", claims.trim_end_matches('}'));
    for payload in [doubled.as_str(), "[]", "\"u1\"", "{", "", &format!("{claims} {claims}")] {
        let reason = rejection(world.redeem_token(&RSA.token(&header(), payload)));
        assert_eq!(reason, "the ID token is malformed", "{payload}");
    }
    refuses(json!({ "email": ["a@example.com"] }), "email is missing or malformed");
}

/// oidcc-client-test-invalid-athash
#[test]
fn invalid_at_hash_is_refused() {
    // SHA-256 of "access-1", the left 16 bytes, by another implementation (Python's hashlib).
    accepts(json!({ "at_hash": "9MKET0Y7WpOlF96BtnoJyA" }));
    refuses(json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }), "at_hash");
    refuses(json!({ "at_hash": "" }), "at_hash");
    refuses(json!({ "at_hash": true }), "at_hash is missing or malformed");
}

#[test]
fn only_true_is_a_verified_email() {
    for (verified, trusted) in [
        (json!(true), true),
        (json!("true"), false),
        (json!(1), false),
        (json!(false), false),
        (json!([true]), false),
        (Value::Null, false),
    ] {
        let profile = World::new().redeem_token(&token_with(json!({ "email_verified": verified }))).unwrap();
        assert_eq!((profile.email_trusted, profile.domain.is_some()), (trusted, trusted), "{verified}");
        assert!(profile.email.is_some());
    }
}

#[test]
fn amr_with_mfa_is_multi_factor() {
    for (amr, expected) in [
        (json!(["pwd", "mfa"]), true),
        (json!(["pwd", "otp"]), false),
        (json!("mfa"), false),
        (json!([1, "mfa"]), false),
    ] {
        let profile = World::new().redeem_token(&token_with(json!({ "amr": amr }))).unwrap();
        assert_eq!(profile.multi_factor, expected, "{amr}");
    }
}

/// oidcc-client-test-scope-userinfo-claims, oidcc-client-test-userinfo-bearer-header
#[test]
fn userinfo_is_read_only_if_the_token_has_no_email() {
    let world = World::new();
    world.serve(USERINFO, &json!({"sub": "u1", "email": "other@example.com", "email_verified": true}));
    assert_eq!(world.redeem().unwrap().email.unwrap().original(), "Ada@example.com");
    assert!(world.requests(USERINFO).is_empty());
    let profile = world.redeem_token(&token_with(json!({ "email": null }))).unwrap();
    assert_eq!(profile.email.unwrap().original(), "other@example.com");
    assert!(profile.email_trusted);
    let [request] = &world.requests(USERINFO)[..] else { panic!("one request") };
    assert!(request.headers.contains(&("Authorization", "Bearer access-1".to_owned())));
    assert_eq!(request.form, None);
}

/// oidcc-client-test-userinfo-invalid-sub
#[test]
fn userinfo_of_another_subject_is_refused() {
    let world = World::new();
    world.serve(USERINFO, &json!({"sub": "u2", "email": "ada@example.com"}));
    let outcome = world.redeem_token(&token_with(json!({ "email": null })));
    assert_eq!(rejection(outcome), "userinfo is about another subject");
}

#[test]
fn failing_userinfo_is_unavailable() {
    let world = World::new();
    world.issue(&token_with(json!({ "email": null })));
    for (outcome, reason) in [
        (Err(OutboundError::TooLarge), "userinfo: the response is larger than 256 KiB"),
        (Ok(crate::world::response(401, "{}")), "userinfo: status 401"),
        (Ok(crate::world::response(200, "eyJhbGciOiJub25lIn0.e30.")), "userinfo: not a JSON object"),
        (Ok(crate::world::response(200, "{}")), "userinfo: no sub"),
    ] {
        world.respond(USERINFO, outcome);
        assert_eq!(failure(world.redeem()), reason);
    }
    world.serve(USERINFO, &json!({ "sub": "u1" }));
    assert_eq!(world.redeem().unwrap().email, None);
}

#[test]
fn malformed_email_is_none() {
    let profile = World::new().redeem_token(&token_with(json!({ "email": "no address" }))).unwrap();
    assert_eq!((profile.email, profile.email_trusted, profile.domain), (None, false, None));
}

#[test]
fn wall_clock_decides_about_expiry() {
    let world = World::new();
    world.clock.advance(Duration::from_secs(359));
    assert!(world.redeem().is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(rejection(world.redeem()), "exp");
}
