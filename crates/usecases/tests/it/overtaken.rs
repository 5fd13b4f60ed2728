//! Spent tokens that a device presents again: with its key, it gets the newest pair of its session.

use crate::world::{World, shown};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::User;
use portcullis_domain::tokens::{RefreshState, Verdict};
use portcullis_usecases::Caller;
use portcullis_usecases::tokens::{RefreshExchange, Refreshed, TokenError, TokenPair};

/// Refreshes with the key of a device.
fn by_device(world: &World, pair: &TokenPair, key: u8) -> Result<Refreshed, TokenError> {
    let exchange = RefreshExchange { by_device: true, ..shown(&pair.refresh_token, Some(key)) };
    world.refresh_on(world.store.clone()).run(&exchange, &Caller::default())
}

/// Logs Ada in and refreshes once with each device's key. Returns all pairs, the live one last.
fn line(world: &World, keys: &[u8]) -> (User, Vec<TokenPair>) {
    let (ada, first) = world.ada();
    let mut pairs = vec![first];
    for key in keys {
        pairs.push(by_device(world, pairs.last().unwrap(), *key).unwrap().pair);
    }
    (ada, pairs)
}

/// Checks that the device gets this pair again.
#[track_caller]
fn gets(world: &World, presented: &TokenPair, expected: &TokenPair) {
    let Refreshed { pair, verdict } = by_device(world, presented, 1).unwrap();
    assert!(matches!(verdict, Verdict::Retried(_)), "{verdict:?}");
    assert_eq!((&pair.access_token, &pair.refresh_token), (&expected.access_token, &expected.refresh_token));
}

fn code(outcome: Result<Refreshed, TokenError>) -> ErrorCode {
    outcome.unwrap_err().code()
}

#[test]
fn any_spent_token_of_a_device_gets_the_newest_pair() {
    let world = World::new();
    let (ada, pairs) = line(&world, &[1; 4]);
    for late in [TimeDelta::zero(), TimeDelta::seconds(11), TimeDelta::minutes(10)] {
        world.pass(late);
        pairs[..4].iter().for_each(|spent| gets(&world, spent, &pairs[4]));
    }
    let tokens = world.store.tokens_of(ada.id);
    let live = tokens.iter().filter(|token| token.state == RefreshState::Live).count();
    assert_eq!((tokens.len(), live), (5, 1), "nothing forks");
    assert_eq!(by_device(&world, &pairs[4], 1).unwrap().verdict, Verdict::Rotated);
}

#[test]
fn a_line_is_not_followed_past_another_devices_exchange() {
    for keys in [[2, 1, 1], [1, 2, 1], [1, 1, 2]] {
        let world = World::new();
        let (_, pairs) = line(&world, &keys);
        let broken = keys.iter().position(|key| *key == 2).unwrap();
        for (place, spent) in pairs[..3].iter().enumerate() {
            if place > broken {
                gets(&world, spent, &pairs[3]);
            } else {
                assert!(matches!(by_device(&world, spent, 1), Err(TokenError::Raced)), "{keys:?} {place}");
            }
        }
        world.pass(TimeDelta::seconds(11));
        assert_eq!(code(by_device(&world, &pairs[0], 1)), ErrorCode::TokenRevoked);
        assert_eq!(code(by_device(&world, &pairs[3], 1)), ErrorCode::TokenRevoked, "the session has ended");
    }
}

#[test]
fn an_exchange_without_a_key_breaks_the_line() {
    let world = World::new();
    let (_, mut pairs) = line(&world, &[1]);
    pairs.push(world.refresh(&pairs[1].refresh_token).unwrap().pair);
    pairs.push(by_device(&world, &pairs[2], 1).unwrap().pair);
    for spent in &pairs[..2] {
        assert!(matches!(by_device(&world, spent, 1), Err(TokenError::Raced)));
    }
    gets(&world, &pairs[2], &pairs[3]);
}

#[test]
fn a_key_of_a_client_follows_no_line() {
    let world = World::new();
    let (_, pairs) = line(&world, &[1; 2]);
    let again = |pair: &TokenPair, key| world.refresh_with(&pair.refresh_token, key);
    assert!(again(&pairs[1], Some(1)).is_ok(), "the one just spent");
    for key in [Some(1), Some(2), None] {
        assert!(matches!(again(&pairs[0], key), Err(TokenError::Raced)), "{key:?}");
    }
    world.pass(TimeDelta::seconds(11));
    assert_eq!(code(again(&pairs[0], Some(1))), ErrorCode::TokenRevoked);
    assert_eq!(code(by_device(&world, &pairs[0], 1)), ErrorCode::TokenRevoked, "the session has ended");
}

#[test]
fn no_pair_of_an_ended_session_or_inactive_account_is_issued_again() {
    let world = World::new();
    let (ada, pairs) = line(&world, &[1; 3]);
    world.store.set_active(ada.id, false);
    assert_eq!(code(by_device(&world, &pairs[0], 1)), ErrorCode::TokenRevoked);
    world.store.set_active(ada.id, true);
    gets(&world, &pairs[0], &pairs[3]);
    world.log_out(&pairs[3].refresh_token).unwrap();
    pairs.iter().for_each(|pair| assert_eq!(code(by_device(&world, pair, 1)), ErrorCode::TokenRevoked));
}

#[test]
fn no_pair_of_a_session_that_is_too_old_is_issued_again() {
    let world = World::new();
    let (_, mut pairs) = line(&world, &[]);
    for _ in 0..5 {
        world.pass(TimeDelta::days(5));
        pairs.push(by_device(&world, pairs.last().unwrap(), 1).unwrap().pair);
    }
    world.pass(TimeDelta::days(4));
    pairs.extend(by_device(&world, &pairs[5], 1).map(|refreshed| refreshed.pair));
    pairs.extend(by_device(&world, &pairs[6], 1).map(|refreshed| refreshed.pair));
    gets(&world, &pairs[5], &pairs[7]);
    world.pass(TimeDelta::days(1));
    assert_eq!(code(by_device(&world, &pairs[5], 1)), ErrorCode::TokenExpired);
}

#[test]
fn an_unverified_account_gets_no_newest_pair() {
    let mut world = World::new();
    let (_, pairs) = line(&world, &[1; 3]);
    world.require_verified_email = true;
    assert_eq!(code(by_device(&world, &pairs[0], 1)), ErrorCode::EmailUnverified);
    world.require_verified_email = false;
    gets(&world, &pairs[0], &pairs[3]);
}

#[test]
fn a_line_is_followed_for_a_thousand_exchanges() {
    let world = World::new();
    let (_, mut pairs) = line(&world, &[1; 1000]);
    gets(&world, &pairs[0], &pairs[1000]);
    pairs.push(by_device(&world, &pairs[1000], 1).unwrap().pair);
    assert!(matches!(by_device(&world, &pairs[0], 1), Err(TokenError::Raced)));
    gets(&world, &pairs[1], &pairs[1001]);
}
