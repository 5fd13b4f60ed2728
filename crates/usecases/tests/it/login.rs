//! Login.

use crate::world::World;
use portcullis_domain::ErrorCode;
use portcullis_usecases::login::{LogInError, LogInReason, LoggedIn};
use std::sync::atomic::Ordering;

fn refused(world: &World, email: &str, password: &str) -> bool {
    matches!(world.log_in(email, password), Err(LogInError::Refused(LogInReason::InvalidCredentials)))
}

#[test]
fn every_refusal_is_the_same_and_takes_one_hash() {
    let world = World::new();
    let (ada, _) = world.ada();
    world.adopt("damaged@example.org", "$2b$nonsense");
    let cost = |email: &str, password: &str| {
        let before = world.hasher.work.load(Ordering::SeqCst);
        assert!(refused(&world, email, password), "{email}");
        world.hasher.work.load(Ordering::SeqCst) - before
    };
    assert_eq!(cost("nobody@example.org", "correct horse"), 1);
    assert_eq!(*world.hasher.stand_ins.lock().unwrap(), ["nobody@example.org"], "by the account's name");
    assert_eq!(cost("ada@example.org", "wrong"), 1);
    assert_eq!(cost("damaged@example.org", "$2b$nonsense"), 1);
    world.store.set_active(ada.id, false);
    assert_eq!(cost("ada@example.org", "correct horse"), 1);
}

#[test]
fn no_policy_applies_to_a_password_that_is_tried() {
    let world = World::new();
    world.adopt("short@example.org", "new:x");
    assert!(world.log_in("short@example.org", "x").is_ok());
}

#[test]
fn an_outdated_hash_is_replaced_once() {
    let world = World::new();
    let bob = world.adopt("bob@example.org", "old:secret");
    let hash = || world.owner(bob.id).credentials.text().to_owned();
    assert!(refused(&world, "bob@example.org", "wrong"));
    assert_eq!(hash(), "old:secret", "a refusal replaces nothing");
    world.log_in("bob@example.org", "secret").unwrap();
    assert!(hash().starts_with("new."));
    let before = world.hasher.work.load(Ordering::SeqCst);
    world.log_in("bob@example.org", "secret").unwrap();
    assert_eq!(world.hasher.work.load(Ordering::SeqCst) - before, 1);
}

#[test]
fn failed_hash_upgrade_does_not_fail_the_login() {
    let world = World::new();
    let bob = world.adopt("bob@example.org", "old:secret");
    let hash = || world.owner(bob.id).credentials.text().to_owned();
    let works = |message| {
        let LoggedIn { pair, .. } = world.log_in("bob@example.org", "secret").unwrap();
        assert!(world.refresh(&pair.refresh_token).is_ok(), "{message}");
    };
    // The verification got its permit, and then the queue filled up.
    world.hasher.full.store(true, Ordering::SeqCst);
    works("refused");
    assert_eq!(hash(), "old:secret");
    world.hasher.full.store(false, Ordering::SeqCst);
    works("the next one tries again");
    assert!(hash().starts_with("new."));
}

#[test]
fn accounts_that_differ_by_case_answer_to_their_own_spelling() {
    let world = World::new();
    world.adopt("Erin@example.com", "new:first");
    world.adopt("erin@example.com", "new:second");
    assert!(world.log_in("Erin@example.com", "first").is_ok());
    assert!(world.log_in("erin@example.com", "second").is_ok());
    assert!(refused(&world, "ERIN@example.com", "first"));
    assert!(refused(&world, "erin@example.com", "first"));
}

#[test]
fn the_patience_of_a_client_who_is_gone_reaches_the_hasher() {
    let world = World::new();
    world.ada();
    for email in ["ada@example.org", "nobody@example.org"] {
        let outcome = world.log_in_while(email, "correct horse", || false);
        assert_eq!(outcome.unwrap_err().code(), ErrorCode::Unavailable, "{email}");
    }
}

#[test]
fn a_full_hash_queue_is_unavailable_for_known_and_unknown_alike() {
    let world = World::new();
    world.ada();
    world.hasher.busy.store(true, Ordering::SeqCst);
    for email in ["ada@example.org", "nobody@example.org"] {
        assert_eq!(world.log_in(email, "correct horse").unwrap_err().code(), ErrorCode::Unavailable, "{email}");
    }
}

#[test]
fn only_the_identifier_of_the_refresh_token_is_stored() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let stored = world.store.tokens_of(ada.id);
    assert_eq!(stored.len(), 1);
    assert!(pair.refresh_token.contains(&stored[0].jti.to_string()));
    assert_eq!(pair.expires_in, 900);
}
