//! Signing out.

use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_ports::StoreError;

#[test]
fn a_logout_revokes_and_is_never_too_late() {
    let world = World::new();
    let (_, pair) = world.ada();
    for _ in 0..2 {
        assert!(world.log_out(&pair.refresh_token).is_ok());
    }
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    world.pass(TimeDelta::days(30));
    assert!(world.log_out(&pair.refresh_token).is_ok());
}

#[test]
fn a_genuine_token_that_nobody_knows_is_logged_out() {
    let world = World::new();
    let (_, pair) = world.ada();
    let jti = pair.refresh_token.split('.').nth(2).unwrap().to_owned();
    assert!(world.log_out(&pair.refresh_token.replace(&jti, &"b".repeat(32))).is_ok());
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn what_is_no_refresh_token_is_invalid() {
    let world = World::new();
    let (_, pair) = world.ada();
    for token in [pair.access_token.as_str(), "nonsense", ""] {
        assert_eq!(world.log_out(token).unwrap_err().code(), ErrorCode::TokenInvalid, "{token}");
    }
}

#[test]
fn a_store_that_cannot_confirm_is_no_success() {
    let world = World::new();
    let (_, pair) = world.ada();
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    assert_eq!(world.log_out(&pair.refresh_token).unwrap_err().code(), ErrorCode::Unavailable);
    world.store.set_outage(None);
    assert!(world.refresh(&pair.refresh_token).is_ok(), "it lives on, as the answer said");
}
