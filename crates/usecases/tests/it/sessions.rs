//! Logout, and session management by owners.

use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::sessions::{EventKind, SessionId, SessionPolicy};
use portcullis_ports::{Clock, StoreExt};
use portcullis_usecases::sessions::{
    ListSessions, LogOutAll, LogoutAll, NoSuchSession, OwnSession, ReadTimeline, RevokeSession, SessionRevocation,
};
use portcullis_usecases::tokens::{Authenticated, TokenPair};
use portcullis_usecases::{Caller, UseCaseError};

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
    let lost = world.without_store(|| world.log_out(&pair.refresh_token)).unwrap_err();
    assert_eq!(lost.code(), ErrorCode::Unavailable);
    assert!(world.refresh(&pair.refresh_token).is_ok(), "it lives on, as the answer said");
}

fn owner(world: &World, pair: &TokenPair) -> Authenticated {
    world.authenticate(&pair.access_token).unwrap()
}

fn list(world: &World, owner: &Authenticated) -> Vec<OwnSession> {
    let verb = ListSessions { store: world.store.clone(), sessions: world.sessions, clock: world.clock.clone() };
    verb.run(owner).unwrap().0
}

fn ids(world: &World, owner: &Authenticated) -> Vec<SessionId> {
    list(world, owner).iter().map(|own| own.listed.session.id).collect()
}

fn sid(pair: &TokenPair) -> SessionId {
    SessionId::parse(pair.refresh_token.split('.').nth(3).unwrap()).unwrap()
}

fn kinds(world: &World, owner: &Authenticated, id: SessionId) -> Vec<EventKind> {
    let read = ReadTimeline { store: world.store.clone() }.run(owner, id).unwrap();
    read.0.iter().map(|event| event.kind).collect()
}

#[test]
fn a_list_tells_which_is_current_and_when_each_ends() {
    let world = World::new();
    let (_, first) = world.ada();
    world.pass(TimeDelta::days(1));
    let second = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let listed = list(&world, &owner(&world, &second));
    let told: Vec<_> = listed.iter().map(|own| (own.listed.session.id, own.current)).collect();
    assert_eq!(told, [(sid(&second), true), (sid(&first), false)]);
    assert!(listed.iter().all(|own| own.expires_at - own.listed.session.started_at == world.sessions.max_age));
    world.pass(TimeDelta::days(29));
    let third = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    assert_eq!(ids(&world, &owner(&world, &third)), [sid(&third), sid(&second)], "the first is too old");
}

#[test]
fn a_session_is_revoked_by_its_owner_alone() {
    let world = World::new();
    let (_, pair) = world.ada();
    let bob = world.adopt("bob@example.org", "new:x");
    let stranger = world.log_in("bob@example.org", "x").unwrap().pair;
    let verb = RevokeSession { store: world.store.clone(), clock: world.clock.clone() };
    let revoke = |by: &TokenPair, session_id| {
        verb.run(&SessionRevocation { session_id, owner: owner(&world, by) }, &Caller::default())
    };
    assert!(matches!(revoke(&stranger, sid(&pair)), Err(UseCaseError::Refused(NoSuchSession))));
    assert!(matches!(revoke(&pair, SessionId::from_random([9; 16])), Err(UseCaseError::Refused(NoSuchSession))));
    let other = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    for _ in 0..2 {
        assert!(revoke(&pair, sid(&other)).is_ok(), "its answer may have been lost");
    }
    assert_eq!(world.refresh(&other.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    let told = kinds(&world, &owner(&world, &pair), sid(&other));
    assert_eq!(told, [EventKind::Ended, EventKind::Revoked, EventKind::LogIn]);
    assert_eq!(world.store.sessions_of(bob.id).len(), 1);
}

#[test]
fn a_logout_of_all_spares_the_current_one_if_it_is_to() {
    let world = World::new();
    let (_, first) = world.ada();
    let second = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let verb = LogOutAll { store: world.store.clone(), clock: world.clock.clone() };
    let all = |keep_current| {
        let input = LogoutAll { owner: owner(&world, &first), keep_current };
        verb.run(&input, &Caller::default()).unwrap().0
    };
    assert_eq!(all(true), 1);
    assert_eq!(world.refresh(&second.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(all(false), 1);
    assert_eq!(world.authenticate(&first.access_token).unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[test]
fn a_login_past_the_most_ends_the_least_recently_used() {
    let mut world = World::new();
    world.sessions = SessionPolicy { max_per_user: 2, ..SessionPolicy::default() };
    let (_, first) = world.ada();
    world.pass(TimeDelta::seconds(1));
    let second = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    world.pass(TimeDelta::seconds(1));
    let first = world.refresh(&first.refresh_token).unwrap().pair;
    world.pass(TimeDelta::seconds(1));
    let third = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    assert_eq!(ids(&world, &owner(&world, &third)), [sid(&third), sid(&first)]);
    assert_eq!(world.refresh(&second.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[test]
fn session_used_while_the_clock_is_behind_is_not_evicted() {
    let mut world = World::new();
    world.sessions = SessionPolicy { max_per_user: 2, ..SessionPolicy::default() };
    let (_, first) = world.ada();
    let second = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    world.clock.set(world.clock.now() - TimeDelta::hours(1));
    let first = world.refresh(&first.refresh_token).unwrap().pair;
    let third = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    assert!(world.refresh(&first.refresh_token).is_ok());
    assert!(world.refresh(&third.refresh_token).is_ok());
    assert_eq!(world.refresh(&second.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[test]
fn a_session_is_kept_for_a_month_beyond_its_end_and_its_age() {
    let world = World::new();
    let (ada, old) = world.ada();
    world.pass(TimeDelta::days(10));
    let ended = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    world.log_out(&ended.refresh_token).unwrap();
    let left = |world: &World| {
        world.purge().run(&mut |_| true).unwrap();
        let mut left: Vec<_> = world.store.sessions_of(ada.id).iter().map(|session| session.id).collect();
        left.sort_unstable();
        left
    };
    let mut both = [sid(&old), sid(&ended)];
    both.sort_unstable();
    world.pass(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    assert_eq!(left(&world), both);
    world.pass(TimeDelta::milliseconds(1));
    assert_eq!(left(&world), [sid(&old)], "30 days beyond its end");
    world.pass(TimeDelta::days(20));
    assert_eq!(left(&world), [], "30 days beyond its age");
    let events = world.store.read(|tx| tx.sessions().events(sid(&old), 9)).unwrap();
    assert!(events.is_empty());
}
