//! Sessions of the account pages, and the codes that continue them in an app.

use crate::mail_fixtures::Meanwhile;
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::CodeVerifier;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{EndReason, EventKind, SessionId, SessionPolicy};
use portcullis_ports::{Clock, Store, StoreExt};
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::providers::{AppSignIn, CodeExchange, ContinueInApp, ExchangeCode, Providers};
use portcullis_usecases::sessions::PageSessions;
use portcullis_usecases::tokens::{Authenticated, TokenError};
use portcullis_usecases::{Caller, Counted};
use std::sync::Arc;

const BACK: &str = "https://app.example.org/in";

fn pages(world: &World) -> PageSessions {
    PageSessions {
        authenticator: world.devices.authenticator.clone(),
        store: world.store.clone(),
        idle: world.issuance.lifetimes.refresh,
        require_verified_email: world.require_verified_email,
        step_up: world.step_up(),
        clock: world.clock.clone(),
    }
}

/// Looks the session of a cookie up. `None` for a cookie that is not genuine or was not used for too long.
fn found(world: &World, cookie: &str) -> Option<Result<Authenticated, TokenError>> {
    let (lookup, _) = pages(world).read(cookie)?;
    world.authenticate_on(world.store.clone()).look_up(&[lookup]).pop().map(|result| result.into_result())
}

fn signed_in(world: &World) -> LoggedIn {
    world.register("ada@example.org", "correct horse").unwrap();
    world.log_in("ada@example.org", "correct horse").unwrap()
}

/// Asks for a code, as the page does after a press of its button.
fn code(world: &World, session: (UserId, SessionId)) -> Option<CodeExchange> {
    let verifier = CodeVerifier::from_random([7; 32]);
    let store: Arc<dyn Store> = world.store.clone();
    let app = AppSignIn { redirect_uri: BACK.to_owned(), state: None, challenge: verifier.challenge() };
    let providers = Providers { public_url: "https://id.example.org".to_owned(), ..Providers::default() };
    let issue = ContinueInApp {
        providers: Arc::new(providers),
        gate: world.verb_on(store.clone()).gate,
        store,
        entropy: world.issuance.entropy.clone(),
        clock: world.clock.clone(),
    };
    let url = issue.run(session, &app).unwrap()?;
    let code = url.strip_prefix(&format!("{BACK}?code=")).unwrap().split('&').next().unwrap().to_owned();
    Some(CodeExchange { code, code_verifier: verifier.expose().to_owned(), redirect_uri: BACK.to_owned() })
}

fn exchange(world: &World, store: Arc<dyn Store>, input: &CodeExchange) -> Result<LoggedIn, ErrorCode> {
    let (gate, limits, clock) = (world.verb_on(store.clone()).gate, world.limits.clone(), world.clock.clone());
    ExchangeCode { store, gate, limits, clock }.run(input, &Caller::default()).map_err(|error| error.code())
}

#[test]
fn a_cookie_names_a_session_as_long_as_it_is_active() {
    let world =
        World { sessions: SessionPolicy { max_age: TimeDelta::days(3), ..SessionPolicy::default() }, ..World::new() };
    let logged_in = signed_in(&world);
    let cookie = pages(&world).cookie(&logged_in).value;
    let session = found(&world, &cookie).unwrap().unwrap();
    assert_eq!((session.user.id, session.session_id), (logged_in.user_id, Some(logged_in.session_id)));
    assert!(pages(&world).step_up.is_recent(&session));
    world.pass(TimeDelta::minutes(11));
    assert!(!pages(&world).step_up.is_recent(&found(&world, &cookie).unwrap().unwrap()));
    world.pass(world.sessions.max_age - TimeDelta::minutes(11) - TimeDelta::seconds(1));
    assert!(found(&world, &cookie).unwrap().is_ok(), "without a refresh");
    world.pass(TimeDelta::seconds(1));
    assert!(matches!(found(&world, &cookie), Some(Err(TokenError::Expired))));
    for bad in ["", &cookie[..cookie.len() - 1], &cookie.replacen("1.", "2.", 1), &logged_in.pair.access_token] {
        assert!(found(&world, bad).is_none(), "{bad}");
    }
}

#[test]
fn a_cookie_ends_unless_its_use_renews_it() {
    let world = World::new();
    let (limit, second) = (world.issuance.lifetimes.refresh, TimeDelta::seconds(1));
    let mut logged_in = signed_in(&world);
    for forget in [false, true] {
        logged_in.pair.forget = forget;
        let mut cookie = pages(&world).cookie(&logged_in);
        assert_eq!(cookie.lifetime, (!forget).then_some(limit));
        for day in 1..=5 {
            let renewed = || pages(&world).read(&cookie.value).unwrap().1;
            world.pass(TimeDelta::days(1) - second);
            assert_eq!(renewed(), None, "most uses need not");
            world.pass(second);
            let next = renewed().unwrap();
            assert_eq!((next.lifetime, next != cookie), (cookie.lifetime, true), "{day}");
            cookie = next;
        }
        world.pass(limit - second);
        assert!(found(&world, &cookie.value).unwrap().is_ok());
        world.pass(second);
        assert!(found(&world, &cookie.value).is_none());
    }
}

#[test]
fn an_unverified_email_is_refused_once_that_is_required() {
    let world = World::new();
    let unverified = found(&world, &pages(&world).cookie(&signed_in(&world)).value).unwrap().unwrap();
    let mut verified = unverified.clone();
    verified.user.email_verified_at = Some(world.clock.now());
    let strict = World { require_verified_email: true, ..world.clone() };
    for (session, admitted) in [(&unverified, [true, false]), (&verified, [true, true])] {
        assert_eq!([&world, &strict].map(|world| pages(world).admits(session)), admitted);
    }
}

#[test]
fn a_purge_keeps_a_session_whose_token_expired() {
    let world = World::new();
    let mut cookie = pages(&world).cookie(&signed_in(&world)).value;
    for _ in 0..29 {
        world.pass(TimeDelta::days(1));
        cookie = pages(&world).read(&cookie).unwrap().1.unwrap().value;
    }
    let purged = world.purge().run(&mut |_| true).unwrap();
    assert_eq!(purged.rows, 1, "the refresh token that no one has");
    assert!(found(&world, &cookie).unwrap().is_ok());
}

#[test]
fn a_logout_ends_the_session_once() {
    let world = World::new();
    let logged_in = signed_in(&world);
    let cookie = pages(&world).cookie(&logged_in).value;
    let session = found(&world, &cookie).unwrap().unwrap();
    for _ in 0..2 {
        pages(&world).end(&session, &Caller::default()).unwrap();
        assert!(matches!(found(&world, &cookie), Some(Err(TokenError::Revoked))));
    }
    let events = world.store.read(|tx| tx.sessions().events(logged_in.session_id, 9)).unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::from(EndReason::LogOut), EventKind::LogIn]);
    assert!(world.without_store(|| pages(&world).end(&session, &Caller::default())).is_err());
}

#[test]
fn an_app_continues_the_session_with_its_authentication_and_device() {
    let world = World::new();
    let page = signed_in(&world);
    let page_session = world.store.read(|tx| tx.sessions().find(page.session_id)).unwrap().unwrap();
    world.pass(TimeDelta::minutes(30));
    let input = code(&world, (page.user_id, page.session_id)).unwrap();
    let begun = exchange(&world, world.store.clone(), &input).unwrap();
    assert_ne!(begun.session_id, page.session_id);
    let session = world.store.read(|tx| tx.sessions().find(begun.session_id)).unwrap().unwrap();
    assert_eq!((session.authentication, session.device), (page_session.authentication, page_session.device));
    let bearer = world.authenticate(&begun.pair.access_token).unwrap();
    assert_eq!(bearer.authentication, page_session.authentication);
    assert_eq!(exchange(&world, world.store.clone(), &input).err(), Some(ErrorCode::TokenRevoked));
    assert!(world.authenticate(&begun.pair.access_token).is_err(), "a second use ends what the first began");
}

#[test]
fn no_code_continues_a_session_that_is_over_or_foreign() {
    let world = World::new();
    let page = signed_in(&world);
    let own = (page.user_id, page.session_id);
    assert!(code(&world, (UserId::new(page.user_id.get() + 1), page.session_id)).is_none());
    assert!(code(&world, (page.user_id, SessionId::from_random([9; 16]))).is_none());
    let strict = World { require_verified_email: true, ..world.clone() };
    assert!(code(&strict, own).is_none(), "the gate would refuse it");
    world.pass(world.sessions.max_age - TimeDelta::seconds(1));
    let last = code(&world, own).unwrap();
    world.pass(TimeDelta::seconds(1));
    assert!(code(&world, own).is_none());
    assert_eq!(exchange(&world, world.store.clone(), &last).err(), Some(ErrorCode::TokenRevoked));
}

#[test]
fn a_session_that_ends_during_the_exchange_begins_none() {
    let world = Arc::new(World::new());
    let page = signed_in(&world);
    let input = code(&world, (page.user_id, page.session_id)).unwrap();
    let session = found(&world, &pages(&world).cookie(&page).value).unwrap().unwrap();
    let meanwhile = world.clone();
    let store = Meanwhile::of(&world, move || drop(pages(&meanwhile).end(&session, &Caller::default())));
    assert_eq!(exchange(&world, store, &input).err(), Some(ErrorCode::TokenRevoked));
    let live = world.store.read(|tx| tx.sessions().count(page.user_id, chrono::DateTime::UNIX_EPOCH, 9)).unwrap();
    assert_eq!(live, 0);
}

#[test]
fn the_only_session_of_an_account_makes_room_for_its_app() {
    let mut world = World::new();
    world.sessions.max_per_user = 1;
    let page = signed_in(&world);
    let input = code(&world, (page.user_id, page.session_id)).unwrap();
    let begun = exchange(&world, world.store.clone(), &input).unwrap();
    assert!(world.authenticate(&begun.pair.access_token).is_ok());
    assert!(matches!(found(&world, &pages(&world).cookie(&page).value), Some(Err(TokenError::Revoked))));
}
