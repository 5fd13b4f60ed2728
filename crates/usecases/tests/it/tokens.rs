//! Exchanging refresh tokens, and reading access tokens.

use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::tokens::RefreshState;
use portcullis_ports::StoreError;
use portcullis_usecases::tokens::Refreshed;
use std::sync::atomic::Ordering;

fn part(token: &str, at: usize) -> String {
    token.split('.').nth(at).unwrap().to_owned()
}

fn code(world: &World, token: &str) -> ErrorCode {
    world.refresh(token).unwrap_err().code()
}

#[test]
fn a_pair_bears_the_identifiers_of_the_line() {
    let world = World::new();
    let (_, first) = world.ada();
    let Refreshed(second) = world.refresh(&first.refresh_token).unwrap();
    assert_eq!(part(&second.access_token, 2), part(&first.refresh_token, 2));
    assert_ne!(part(&second.refresh_token, 2), part(&first.refresh_token, 2));
    let Refreshed(third) = world.refresh(&second.refresh_token).unwrap();
    assert!(world.refresh(&third.refresh_token).is_ok(), "a line goes on");
}

#[test]
fn a_token_is_spent_once_and_the_loser_harms_nobody() {
    let world = World::new();
    let (ada, first) = world.ada();
    let Refreshed(second) = world.refresh(&first.refresh_token).unwrap();
    for _ in 0..3 {
        assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenRevoked);
    }
    assert!(world.refresh(&second.refresh_token).is_ok());
    let live = world.store.tokens_of(ada.id).iter().filter(|t| t.state == RefreshState::Live).count();
    assert_eq!(live, 1);
}

#[test]
fn a_token_dies_with_its_time_and_with_its_account() {
    let world = World::new();
    let (ada, first) = world.ada();
    world.store.set_active(ada.id, false);
    assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenRevoked);
    world.store.set_active(ada.id, true);
    world.pass(TimeDelta::days(7));
    assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenExpired);
}

#[test]
fn what_the_store_does_not_know_is_invalid() {
    let world = World::new();
    let (_, pair) = world.ada();
    let unknown = pair.refresh_token.replace(&part(&pair.refresh_token, 2), &"a".repeat(32));
    let of_another = pair.refresh_token.replacen(".1.", ".2.", 1);
    for token in [&unknown, &of_another, &pair.access_token, "nonsense"] {
        assert_eq!(code(&world, token), ErrorCode::TokenInvalid, "{token}");
    }
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn what_fails_spends_nothing() {
    let world = World::new();
    let (_, pair) = world.ada();
    world.tokens.broken.store(true, Ordering::SeqCst);
    assert_eq!(code(&world, &pair.refresh_token), ErrorCode::Internal);
    world.tokens.broken.store(false, Ordering::SeqCst);
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    assert_eq!(code(&world, &pair.refresh_token), ErrorCode::Unavailable);
    world.store.set_outage(None);
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn an_access_token_speaks_for_its_account_while_that_is_active() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let code = |token: &str| world.authenticate(token).unwrap_err().code();
    assert_eq!(world.authenticate(&pair.access_token).unwrap().0.id, ada.id);
    assert_eq!(code(&pair.refresh_token), ErrorCode::TokenInvalid);
    assert_eq!(code(&pair.access_token.replacen(".1.", ".9.", 1)), ErrorCode::TokenInvalid);
    world.store.set_active(ada.id, false);
    assert_eq!(code(&pair.access_token), ErrorCode::TokenRevoked);
    world.pass(TimeDelta::minutes(15));
    assert_eq!(code(&pair.access_token), ErrorCode::TokenExpired);
}
