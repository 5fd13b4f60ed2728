//! ID tokens that native apps bring.

use crate::world::{NONCE, NOW, World, at, config, rejection, token_with};
use portcullis_oidc::ProviderConfig;
use portcullis_ports::Clock;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn token_is_usable_for_ten_minutes_or_until_it_expires() {
    let world = World::new();
    let long = token_with(json!({ "exp": NOW + 3600 }));
    let sign_in = world.native(&long, Some(NONCE)).unwrap();
    assert_eq!((sign_in.profile.key.subject.as_str(), sign_in.usable_until), ("u1", at(NOW + 601)));
    let short = world.native(&token_with(json!({ "exp": NOW + 5 })), Some(NONCE)).unwrap();
    assert_eq!(short.usable_until, at(NOW + 65));
    world.clock.advance(Duration::from_millis(600_999));
    assert!(world.native(&long, Some(NONCE)).is_ok());
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.clock.now(), at(NOW + 601));
    assert_eq!(rejection(world.native(&long, Some(NONCE))), "iat is too old");
    for issued_at in [i64::MIN, 0] {
        assert_eq!(
            rejection(world.native(&token_with(json!({"iat": issued_at, "exp": i64::MAX})), None)),
            "iat is too old"
        );
    }
}

#[test]
fn audiences_of_native_apps_are_accepted() {
    let world = World::new();
    for (audience, azp) in [("app-1", Value::Null), ("client-1", json!("app-1")), ("app-1", json!("client-1"))] {
        let token = token_with(json!({"aud": audience, "azp": azp}));
        assert!(world.native(&token, Some(NONCE)).is_ok(), "{audience} {azp}");
    }
    assert_eq!(rejection(world.native(&token_with(json!({ "aud": "app-2" })), Some(NONCE))), "aud");
    assert_eq!(rejection(world.native(&token_with(json!({ "azp": "app-2" })), Some(NONCE))), "azp");
}

#[test]
fn nonce_is_presented_plain_or_hashed() {
    let world = World::new();
    assert_eq!(rejection(world.native(&token_with(json!({})), None)), "nonce");
    assert_eq!(rejection(world.native(&token_with(json!({})), Some("other"))), "nonce");
    // SHA-256 of "raw", by another implementation (Python's hashlib).
    let hash = "d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde";
    let hashed = token_with(json!({ "nonce": hash }));
    assert!(world.native(&hashed, Some("raw")).is_ok() && world.native(&hashed, Some(hash)).is_ok());
    // The hash of what the token has proves nothing.
    assert_eq!(rejection(world.native(&token_with(json!({ "nonce": "raw" })), Some(hash))), "nonce");
}

#[test]
fn missing_nonce_is_accepted_only_if_optional() {
    let bare = token_with(json!({ "nonce": null }));
    for nonce in [None, Some(NONCE), Some("")] {
        assert_eq!(rejection(World::new().native(&bare, nonce)), "nonce");
    }
    let world = World::of(ProviderConfig { nonce_required: false, ..config() });
    assert!(world.native(&bare, None).is_ok());
    assert_eq!(rejection(world.native(&token_with(json!({})), None)), "nonce");
    // The web flow always has one.
    assert_eq!(rejection(world.redeem_token(&bare)), "nonce");
}

#[test]
fn at_hash_is_ignored_without_access_token() {
    assert!(World::new().native(&token_with(json!({ "at_hash": "x" })), Some(NONCE)).is_ok());
}
