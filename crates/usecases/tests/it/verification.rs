//! Verification of email addresses.

use crate::addresses::on_the_way;
use crate::mail_fixtures::{Call, all_at_once, token_in};
use crate::world::{World, login, with};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_domain::sessions::EventKind;
use portcullis_domain::verification::Purpose;
use portcullis_ports::StoreExt;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::tokens::TokenPair;
use portcullis_usecases::verification::EmailVerified;

pub(crate) fn user(world: &World, email: &str) -> Option<User> {
    world.store.accounts(&EmailAddress::parse(email).unwrap()).unwrap().pop()
}

pub(crate) fn is_in(world: &World, pair: &TokenPair) -> bool {
    world.authenticate(&pair.access_token).is_ok()
}

fn sign_in(world: &World, device: Option<String>) -> LoggedIn {
    world.verb().run(&login("ada@example.org", "correct horse"), &with(device)).unwrap()
}

fn last_event(world: &World, id: UserId) -> Vec<EventKind> {
    let sessions = world.store.sessions_of(id);
    let last = |session| world.store.read(|tx| tx.sessions().events(session, 1)).unwrap().remove(0).kind;
    sessions.iter().map(|session| last(session.id)).collect()
}

#[test]
fn first_verification_ends_attackers_access_and_offers_a_reset() {
    let world = World::new();
    let (ada, stranger) = world.ada();
    let token = world.mailed();
    world.forgot("ada@example.org").unwrap();
    let forgotten = world.mailed();
    let EmailVerified { purpose, email, first, sessions_ended, reset, .. } = world.verify(&token).unwrap();
    assert_eq!((purpose, email.original(), first), (Purpose::VerifyEmail, "ada@example.org", true));
    assert_eq!((sessions_ended, is_in(&world, &stranger)), (1, false));
    assert_eq!(last_event(&world, ada.id), [EventKind::EmailVerified]);
    assert_eq!(world.inspect(&forgotten), None, "one-time tokens from before");
    assert!(user(&world, "ada@example.org").unwrap().email_verified_at.is_some());
    assert!(world.reset(&reset.unwrap(), "battery staple").is_ok());
    assert!(world.log_in("ada@example.org", "correct horse").is_err(), "the stranger's password");
}

#[test]
fn the_browser_that_verifies_keeps_its_own_sessions() {
    let world = World::new();
    let (_, stranger) = world.ada();
    let token = world.mailed();
    let LoggedIn { pair: own, cookie, .. } = sign_in(&world, None);
    let LoggedIn { pair: beside, .. } = sign_in(&world, Some(cookie.clone()));
    let bearer = sign_in(&world, None).pair;
    let session = world.authenticate(&bearer.access_token).unwrap().session_id;
    let verified = world.verify_from(&token, Some(&bearer), Some(cookie)).unwrap();
    assert_eq!(verified.sessions_ended, 1);
    assert!(!is_in(&world, &stranger) && is_in(&world, &own) && is_in(&world, &beside));
    let open = world.store.sessions_of(user(&world, "ada@example.org").unwrap().id);
    assert!(open.iter().any(|open| Some(open.id) == session && open.ended_at.is_none()));
}

#[test]
fn nobody_elses_session_or_device_spares_any() {
    let world = World::new();
    let (_, stranger) = world.ada();
    let token = world.mailed();
    world.register("bob@example.org", "correct horse").unwrap();
    let LoggedIn { pair, cookie, .. } = world.log_in("bob@example.org", "correct horse").unwrap();
    let verified = world.verify_from(&token, Some(&pair), Some(cookie)).unwrap();
    assert_eq!((verified.sessions_ended, is_in(&world, &stranger), is_in(&world, &pair)), (1, false, true));
}

#[test]
fn a_second_verification_ends_nothing() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let first = world.mailed();
    world.resend("ada@example.org").unwrap();
    let second = world.mailed();
    assert_eq!(world.verify(&first).unwrap_err().code(), ErrorCode::TokenInvalid, "a newer one replaced it");
    world.confirm(&second).unwrap();
    assert_eq!(world.verify(&second).unwrap_err().code(), ErrorCode::TokenInvalid, "used");
    let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    world.resend("ada@example.org").unwrap();
    assert!(world.deliver().is_empty(), "there is nothing to verify");
    assert!(is_in(&world, &pair));
}

#[test]
fn a_verification_that_comes_a_day_later_is_too_late() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    world.pass(TimeDelta::hours(24));
    assert_eq!(world.verify(&token).unwrap_err().code(), ErrorCode::TokenExpired);
    assert_eq!(world.inspect(&token), None);
    world.resend("ada@example.org").unwrap();
    assert!(world.verify(&world.mailed()).unwrap().first);
}

#[test]
fn unverified_account_is_reported_only_to_the_right_password() {
    let mut world = World::new();
    world.require_verified_email = true;
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    let refused = world.log_in("ada@example.org", "correct horse").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::EmailUnverified);
    assert_eq!(world.log_in("ada@example.org", "wrong").unwrap_err().code(), ErrorCode::InvalidCredentials);
    world.confirm(&token).unwrap();
    assert!(world.log_in("ada@example.org", "correct horse").is_ok());
}

#[test]
fn opening_a_link_any_number_of_times_changes_nothing() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    let before = (world.store.grants(), user(&world, "ada@example.org"));
    assert!((0..5).all(|_| world.inspect(&token) == Some(Purpose::VerifyEmail)));
    assert_eq!((world.store.grants(), user(&world, "ada@example.org")), before);
    assert!(world.verify(&token).is_ok());
}

#[test]
fn of_many_who_show_one_token_one_verifies() {
    for _ in 0..20 {
        let world = World::new();
        world.register("ada@example.org", "correct horse").unwrap();
        let (world, token) = (&world, &world.mailed());
        let call = |_| -> Call<'_, bool> { Box::new(move || world.verify(token).is_ok_and(|verified| verified.first)) };
        let won = all_at_once((0..8).map(call).collect());
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
    }
}

#[test]
fn login_during_the_first_verification_is_ended_or_refused() {
    for _ in 0..40 {
        let world = World::new();
        let (ada, _) = world.ada();
        let token = world.mailed();
        let (one, two) = (&world, &world);
        let ended = all_at_once::<u64>(vec![
            Box::new(|| one.verify(&token).unwrap().sessions_ended),
            Box::new(|| u64::from(two.log_in("ada@example.org", "correct horse").is_ok())),
        ]);
        let open = world.store.sessions_of(ada.id).iter().filter(|session| session.ended_at.is_none()).count();
        assert_eq!((ended[0], open), (1 + ended[1], 0), "a login that came first is ended, a later one is refused");
    }
}

#[test]
fn attackers_email_change_dies_with_the_first_verification() {
    let world = World::new();
    let (_, stranger) = world.ada();
    let token = world.mailed();
    let away = on_the_way(&world, &stranger, "stranger@example.org");
    world.verify(&token).unwrap();
    assert_eq!(world.verify(&away).unwrap_err().code(), ErrorCode::TokenInvalid);
}

#[test]
fn every_language_is_that_of_the_request() {
    let world = World::new();
    let pair = world.verified_ada();
    world.forgot("ada@example.org").unwrap();
    world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    world.deliver();
    let worded = world.mailbox.worded.lock().unwrap();
    let languages: Vec<_> = worded.iter().map(|message| message.language.tag()).collect();
    assert_eq!(languages, ["en", "fr", "zh"]);
    let links: Vec<_> = worded.iter().filter_map(|message| message.link.clone()).collect();
    assert!(links[1].0.starts_with("https://x.org/r?t=") && links[2].0.starts_with("https://x.org/v?t="));
    assert_eq!(links.iter().map(|link| link.1.num_minutes()).collect::<Vec<_>>(), [1440, 30, 1440]);
    assert_ne!(token_in(&links[1].0), token_in(&links[2].0));
}
