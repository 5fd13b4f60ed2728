//! Signatures, algorithms and key sets.

use crate::test_keys::{ED25519, OTHER_RSA, P256, RSA, TestKey, encode};
use crate::world::{JWKS, World, callback, claims, config, header, rejection, response, timeout, token_with, with};
use aws_lc_rs::hmac;
use portcullis_oidc::OidcProvider;
use portcullis_ports::{Clock, IdentityProvider, ProviderError};
use serde_json::{Value, json};
use std::time::Duration;

fn redeem(world: &World, key: &TestKey, header: &Value) -> Result<(), ProviderError> {
    world.redeem_token(&key.token(header, &claims().to_string())).map(|_| ())
}

/// oidcc-client-test-idtoken-sig-rs256, and the other algorithms
#[test]
fn every_accepted_algorithm_verifies() {
    let world = World::new();
    world.serve_keys(&[("r", &RSA), ("p", &P256), ("e", &ED25519)]);
    for (algorithm, kid, key) in
        [("RS256", "r", &*RSA), ("PS256", "r", &*RSA), ("ES256", "p", &*P256), ("EdDSA", "e", &*ED25519)]
    {
        assert_eq!(redeem(&world, key, &json!({"alg": algorithm, "kid": kid})), Ok(()), "{algorithm}");
    }
    // SHA-512 of the access token, the left 32 bytes, by another implementation (Python's hashlib).
    let hashed = with(claims(), json!({ "at_hash": "j_gttPifZFS_g6b4IrJKODpmGFP9qoL7SCZg8t8jzpU" }));
    assert!(world.redeem_token(&ED25519.token(&json!({"alg": "EdDSA", "kid": "e"}), &hashed.to_string())).is_ok());
}

/// oidcc-client-test-idtoken-sig-none
#[test]
fn none_and_hmac_are_refused() {
    let world = World::new();
    let unsigned = |alg: &str| {
        format!("{}.{}", encode(with(header(), json!({ "alg": alg })).to_string()), encode(claims().to_string()))
    };
    for alg in ["none", "None", "NONE", "", "RS384", "RS512", "ES384", "rs256", "ES256K"] {
        assert_eq!(rejection(world.redeem_token(&format!("{}.", unsigned(alg)))), "alg", "{alg}");
    }
    // The public key as an HMAC secret (CVE-2015-9235).
    let public = RSA.jwk("k1");
    for secret in [public["n"].as_str().unwrap().as_bytes(), public.to_string().as_bytes()] {
        let signed = unsigned("HS256");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        assert_eq!(rejection(world.redeem_token(&format!("{signed}.{}", encode(mac)))), "alg");
    }
    // A key set may not bring a secret either.
    world.serve(JWKS, &json!({"keys": [{"kty": "oct", "kid": "k1", "k": "c2VjcmV0", "alg": "HS256"}]}));
    world.issue(&token_with(json!({})));
    assert_eq!(rejection(world.redeem()), "no usable key");
}

/// oidcc-client-test-invalid-sig-rs256, -es256
#[test]
fn invalid_signature_is_refused() {
    let world = World::new();
    assert_eq!(rejection(redeem(&world, &OTHER_RSA, &header())), "signature");
    let token = token_with(json!({}));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = token_with(json!({ "sub": "admin" }));
    let (other_signed, _) = other.rsplit_once('.').unwrap();
    for (token, reason) in [
        (format!("{other_signed}.{signature}"), "signature"),
        (format!("{signed}."), "signature"),
        (format!("{signed}.{signature}="), "signature"),
        (format!("{signed}.{}", &signature[1..]), "signature"),
        (format!("{token}.{signature}"), "signature"),
        (signed.to_owned(), "the ID token is malformed"),
        (format!("A{token}"), "the ID token is malformed"),
        (String::new(), "the ID token is malformed"),
        (format!("{token}{}", "A".repeat(33_000)), "the ID token is too long"),
    ] {
        assert_eq!(rejection(world.redeem_token(&token)), reason, "{token}");
    }
    // All-zero ECDSA signature (CVE-2022-21449).
    world.serve_keys(&[("k1", &P256)]);
    world.clock.advance(Duration::from_secs(3600));
    let zero =
        format!("{}.{}.{}", encode(r#"{"alg":"ES256","kid":"k1"}"#), encode(claims().to_string()), encode([0; 64]));
    assert_eq!(rejection(world.redeem_token(&zero)), "signature");
}

#[test]
fn algorithm_must_fit_the_key() {
    let world = World::new();
    let limited = [with(RSA.jwk("k1"), json!({ "alg": "PS256" })), P256.jwk("p")];
    world.serve(JWKS, &json!({ "keys": limited }));
    let refused =
        |key: &TestKey, alg: &str, kid: &str| rejection(redeem(&world, key, &json!({"alg": alg, "kid": kid})));
    assert_eq!(refused(&RSA, "RS256", "k1"), "alg does not fit the key");
    assert_eq!(refused(&RSA, "RS256", "p"), "alg does not fit the key");
    assert_eq!(refused(&P256, "ES256", "k1"), "alg does not fit the key");
    assert_eq!(redeem(&world, &RSA, &json!({"alg": "PS256", "kid": "k1"})), Ok(()));
    assert_eq!(world.requests(JWKS).len(), 1);
}

#[test]
fn header_must_not_bring_a_key_or_another_type() {
    let world = World::new();
    let forged = with(header(), json!({ "jwk": OTHER_RSA.jwk("k1") }));
    assert_eq!(rejection(redeem(&world, &OTHER_RSA, &forged)), "crit or jwk in the header");
    assert_eq!(
        rejection(redeem(&world, &RSA, &with(header(), json!({ "crit": ["exp"] })))),
        "crit or jwk in the header"
    );
    for typ in [json!("at+jwt"), json!("logout+jwt"), json!(1)] {
        assert_eq!(rejection(redeem(&world, &RSA, &with(header(), json!({ "typ": typ })))), "typ");
    }
    assert_eq!(rejection(redeem(&world, &RSA, &with(header(), json!({ "kid": 1 })))), "kid is missing or malformed");
    let foreign = with(header(), json!({"kid": "new", "jku": "https://evil.example/jwks"}));
    assert_eq!(rejection(redeem(&world, &OTHER_RSA, &foreign)), "kid is unknown");
    assert!(world.requests("https://evil.example/jwks").is_empty());
    let twice = format!("{},\"alg\":\"RS256\"}}", header().to_string().trim_end_matches('}'));
    let token = token_with(json!({}));
    let (_, rest) = token.split_once('.').unwrap();
    assert_eq!(rejection(world.redeem_token(&format!("{}.{rest}", encode(twice)))), "the ID token is malformed");
}

/// oidcc-client-test-kid-absent-single-jwks
#[test]
fn absent_kid_with_a_single_key_is_accepted() {
    let world = World::new();
    assert_eq!(redeem(&world, &RSA, &json!({ "alg": "RS256" })), Ok(()));
}

/// oidcc-client-test-kid-absent-multiple-jwks
#[test]
fn absent_kid_with_several_keys_is_refused() {
    let world = World::new();
    world.serve_keys(&[("k1", &RSA), ("k2", &P256)]);
    let outcome = redeem(&world, &RSA, &json!({ "alg": "RS256" }));
    assert_eq!(rejection(outcome), "kid is missing and there are several keys");
    world.serve_keys(&[("k1", &RSA), ("k1", &OTHER_RSA)]);
    world.clock.advance(Duration::from_secs(3600));
    let outcome = world.redeem_token(&token_with(json!({})));
    assert_eq!(rejection(outcome), "several keys have that kid");
}

/// oidcc-client-test-signing-key-rotation
#[test]
fn rotated_key_is_fetched() {
    let world = World::new();
    assert!(world.redeem().is_ok());
    world.serve_keys(&[("k1", &RSA), ("k2", &OTHER_RSA)]);
    assert_eq!(redeem(&world, &OTHER_RSA, &with(header(), json!({ "kid": "k2" }))), Ok(()));
    assert_eq!(redeem(&world, &RSA, &header()), Ok(()));
    assert_eq!(world.requests(JWKS).len(), 2);
}

#[test]
fn unknown_kid_refetches_at_most_once_a_minute() {
    let world = World::new();
    let unknown = |kid: &str| rejection(redeem(&world, &OTHER_RSA, &with(header(), json!({ "kid": kid }))));
    assert!(world.redeem().is_ok());
    for (advance, fetches) in [(0, 2), (0, 2), (59, 2), (1, 3), (59, 3), (1, 4)] {
        world.clock.advance(Duration::from_secs(advance));
        world.issue(&token_with(json!({})));
        assert_eq!(unknown("a"), "kid is unknown");
        assert_eq!(unknown("b"), "kid is unknown");
        assert_eq!(world.requests(JWKS).len(), fetches);
    }
    // A known key needs no refetch, and a refetch that fails spends the minute too.
    world.clock.advance(Duration::from_secs(60));
    world.respond(JWKS, Err(timeout()));
    let outcome = redeem(&world, &OTHER_RSA, &with(header(), json!({ "kid": "a" })));
    assert_eq!(outcome, Err(ProviderError::Unavailable("jwks_uri: unavailable: timeout".to_owned())));
    assert_eq!(unknown("a"), "kid is unknown");
    assert_eq!(redeem(&world, &RSA, &header()), Ok(()));
    assert_eq!(world.requests(JWKS).len(), 5);
}

#[test]
fn providers_of_one_issuer_share_its_keys() {
    let world = World::new();
    let other = OidcProvider::new(config(), world.http.clone(), &world.caches).unwrap();
    let now = world.clock.now();
    assert!(world.redeem().is_ok());
    assert!(other.redeem(&callback(), now).is_ok());
    assert_eq!(world.requests(JWKS).len(), 1);
    // Both together refetch once a minute.
    let unknown = with(header(), json!({ "kid": "a" }));
    assert_eq!(rejection(redeem(&world, &OTHER_RSA, &unknown)), "kid is unknown");
    assert_eq!(rejection(other.redeem(&callback(), now)), "kid is unknown");
    assert_eq!(world.requests(JWKS).len(), 2);
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let other_uses = [
        with(OTHER_RSA.jwk("k1"), json!({ "use": "enc" })),
        with(OTHER_RSA.jwk("k1"), json!({"use": null, "key_ops": ["encrypt"]})),
        with(OTHER_RSA.jwk("k1"), json!({ "alg": "RSA-OAEP" })),
        with(OTHER_RSA.jwk("k1"), json!({ "kty": "PQ" })),
        with(OTHER_RSA.jwk("k1"), json!({ "n": 1 })),
        with(P256.jwk("k1"), json!({ "crv": "P-384" })),
        with(ED25519.jwk("k1"), json!({ "crv": "Ed448" })),
        json!({"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}),
        json!("k1"),
    ];
    for key in other_uses {
        let world = World::new();
        world.serve(JWKS, &json!({ "keys": [key] }));
        assert_eq!(rejection(world.redeem()), "no usable key", "{key}");
        let world = World::new();
        world.serve(JWKS, &json!({ "keys": [key, RSA.jwk("k1")] }));
        assert!(world.redeem().is_ok(), "{key}");
    }
    for body in ["{\"keys\":{}}", "{}", "{\"keys\":[]}"] {
        let world = World::new();
        world.respond(JWKS, Ok(response(200, body)));
        assert!(matches!(world.redeem(), Err(ProviderError::Rejected(_))), "{body}");
    }
}
