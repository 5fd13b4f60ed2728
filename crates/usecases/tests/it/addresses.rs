//! Email changes and undo.

use crate::accounts::set_password;
use crate::mail_fixtures::{Meanwhile, all_at_once};
use crate::verification::{is_in, user};
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_usecases::tokens::TokenPair;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Requests an email change as the owner and returns the token from the email.
pub(crate) fn on_the_way(world: &World, pair: &TokenPair, to: &str) -> OneTimeToken {
    world.change_email(pair, "correct horse", to).unwrap();
    world.mailed()
}

/// Changes Ada's email to `new@example.org` and returns the undo token.
fn moved(world: &World, pair: &TokenPair) -> OneTimeToken {
    world.confirm(&on_the_way(world, pair, "new@example.org")).unwrap();
    world.mailed()
}

#[test]
fn verified_email_change_takes_effect_and_notifies_old_email() {
    let world = World::new();
    let here = world.verified_ada();
    let there = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let token = on_the_way(&world, &here, "New@Example.org");
    assert!(user(&world, "new@example.org").is_none(), "not before");
    assert_eq!(world.inspect(&token), Some(Purpose::ChangeEmail));
    let verified = world.verify_from(&token, Some(&here), None).unwrap();
    assert_eq!((verified.purpose, verified.email.original()), (Purpose::ChangeEmail, "new@example.org"));
    assert_eq!((verified.first, verified.sessions_ended, verified.reset), (false, 1, None));
    assert!(is_in(&world, &here) && !is_in(&world, &there));
    let moved = user(&world, "new@example.org").unwrap();
    assert!(moved.email_verified_at.is_some() && user(&world, "ada@example.org").is_none());
    let told = world.deliver();
    assert_eq!(told, [("email_changed".to_owned(), "ada@example.org".to_owned())]);
    let message = world.mailbox.worded.lock().unwrap().pop().unwrap();
    assert!(message.client.is_some(), "a verified address may hear from where it was");
}

#[test]
fn email_change_needs_the_password_and_reveals_no_account() {
    let world = World::new();
    let pair = world.verified_ada();
    world.register("bob@example.org", "correct horse").unwrap();
    world.deliver();
    let refused = world.change_email(&pair, "wrong", "new@example.org").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
    let work = |to: &str| {
        let before = world.hasher.work.load(Ordering::SeqCst);
        world.change_email(&pair, "correct horse", to).unwrap();
        (world.hasher.work.load(Ordering::SeqCst) - before, world.store.mails().len())
    };
    assert_eq!(work("bob@example.org"), (1, 1));
    assert!(world.deliver().is_empty(), "the address has an account");
    assert_eq!(work("new@example.org"), (1, 1));
    assert_eq!(world.deliver(), [("confirm_email".to_owned(), "new@example.org".to_owned())]);
}

#[test]
fn email_confirmed_and_registered_at_once_is_taken_once() {
    for _ in 0..40 {
        let world = World::new();
        let pair = world.verified_ada();
        let token = on_the_way(&world, &pair, "new@example.org");
        let (one, two) = (&world, &world);
        let done = all_at_once::<bool>(vec![
            Box::new(|| match one.verify(&token) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::Conflict);
                    false
                }
            }),
            Box::new(|| two.register("new@example.org", "battery staple").is_ok()),
        ]);
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
        assert_eq!(world.store.accounts(&EmailAddress::parse("new@example.org").unwrap()).unwrap().len(), 1);
    }
}

#[test]
fn old_email_recovers_the_account_for_a_week_after_any_change() {
    let world = World::new();
    let pair = world.verified_ada();
    let undo = moved(&world, &pair);
    let thief = world.log_in("new@example.org", "correct horse").unwrap().pair;
    world.change_password(&thief, "correct horse", "thieves' password").unwrap();
    world.deliver();
    world.change_email(&thief, "thieves' password", "third@example.org").unwrap();
    let third = world.mailed();
    world.pass(TimeDelta::days(7) - TimeDelta::microseconds(1));
    assert_eq!(world.inspect(&undo), Some(Purpose::UndoEmailChange));
    let verified = world.verify(&undo).unwrap();
    assert_eq!((verified.purpose, verified.email.original()), (Purpose::UndoEmailChange, "ada@example.org"));
    assert!(!is_in(&world, &thief) && verified.sessions_ended == 1);
    assert_eq!(world.inspect(&third), None, "every other token is gone");
    assert!(world.deliver().is_empty(), "nobody is offered to undo that");
    assert!(world.reset(&verified.reset.unwrap(), "battery staple").is_ok());
    assert!(world.log_in("ada@example.org", "battery staple").is_ok());
    assert_eq!(world.verify(&undo).unwrap_err().code(), ErrorCode::TokenInvalid);
}

#[test]
fn an_undo_comes_too_late_after_a_week() {
    let world = World::new();
    let pair = world.verified_ada();
    let undo = moved(&world, &pair);
    world.pass(TimeDelta::days(7));
    assert_eq!(world.verify(&undo).unwrap_err().code(), ErrorCode::TokenExpired);
}

#[test]
fn an_address_that_may_be_taken_back_is_nobody_elses() {
    let world = World::new();
    let pair = world.verified_ada();
    world.register("bob@example.org", "correct horse").unwrap();
    world.deliver();
    let bob = world.log_in("bob@example.org", "correct horse").unwrap().pair;
    let racing = on_the_way(&world, &bob, "third@example.org");
    world.confirm(&on_the_way(&world, &pair, "new@example.org")).unwrap();
    // Reserved from the moment of the change, not of the email.
    let before = world.hasher.work.load(Ordering::SeqCst);
    let refused = world.register("ADA@example.org", "battery staple").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Conflict);
    assert_eq!(world.hasher.work.load(Ordering::SeqCst), before);
    world.deliver();
    world.change_email(&bob, "correct horse", "ada@example.org").unwrap();
    assert!(world.deliver().is_empty(), "no mail to an address that is reserved");
    assert_eq!(world.verify(&racing).unwrap_err().code(), ErrorCode::TokenInvalid, "a newer one replaced it");
    world.pass(TimeDelta::days(7));
    assert!(world.register("ada@example.org", "battery staple").is_ok());
}

#[test]
fn email_change_sent_before_a_reservation_is_a_conflict() {
    let world = World::new();
    let pair = world.verified_ada();
    world.confirm(&on_the_way(&world, &pair, "new@example.org")).unwrap();
    world.deliver();
    world.register("bob@example.org", "correct horse").unwrap();
    world.deliver();
    let bob = world.log_in("bob@example.org", "correct horse").unwrap().pair;
    // Bob requests an address while Ada has it, and confirms after she has left it.
    world.change_email(&bob, "correct horse", "new@example.org").unwrap();
    let seed = world.store.mails().remove(0).mail.seed;
    let ada = world.log_in("new@example.org", "correct horse").unwrap().pair;
    let away = world.one_time.token(&seed);
    world.change_email(&ada, "correct horse", "fourth@example.org").unwrap();
    world.confirm(&world.mailed()).unwrap();
    assert_eq!(world.verify(&away).unwrap_err().code(), ErrorCode::Conflict);
}

#[test]
fn second_email_change_does_not_remove_the_first_owners_undo() {
    let world = World::new();
    let pair = world.verified_ada();
    let first = moved(&world, &pair);
    world.pass(TimeDelta::hours(1));
    let thief = world.log_in("new@example.org", "correct horse").unwrap().pair;
    world.confirm(&on_the_way(&world, &thief, "third@example.org")).unwrap();
    let second = world.mailed();
    assert_eq!(world.verify(&second).unwrap().email.original(), "new@example.org");
    assert_eq!(world.verify(&first).unwrap().email.original(), "ada@example.org");
    assert_eq!(world.store.grants().len(), 1, "the offer of another password");
}

#[test]
fn first_owners_undo_revokes_later_undos_even_unsent_ones() {
    let world = World::new();
    let pair = world.verified_ada();
    let first = moved(&world, &pair);
    world.pass(TimeDelta::hours(1));
    let thief = world.log_in("new@example.org", "correct horse").unwrap().pair;
    let third = on_the_way(&world, &thief, "third@example.org");
    world.confirm(&third).unwrap();
    let seed = world.store.mails().remove(0).mail.seed;
    world.verify(&first).unwrap();
    assert!(world.deliver().is_empty(), "an order whose token is gone says nothing");
    assert_eq!(world.verify(&world.one_time.token(&seed)).unwrap_err().code(), ErrorCode::TokenInvalid);
}

#[test]
fn unsent_email_change_dies_when_the_password_changes() {
    let world = World::new();
    let pair = world.verified_ada();
    world.change_email(&pair, "correct horse", "thief@example.org").unwrap();
    world.change_password(&pair, "correct horse", "battery staple").unwrap();
    assert_eq!(world.deliver(), [("password_changed".to_owned(), "ada@example.org".to_owned())]);
    world.change_email(&pair, "battery staple", "thief@example.org").unwrap();
    set_password(&world, user(&world, "ada@example.org").unwrap().id, "correct horse").unwrap();
    assert!(world.deliver().is_empty());
}

#[test]
fn email_change_during_a_password_change_is_refused() {
    let world = Arc::new(World::new());
    let pair = world.verified_ada();
    let owner = world.authenticate(&pair.access_token).unwrap();
    let (changes, meanwhile) = (world.changing(owner.clone(), "correct horse", "battery staple"), world.clone());
    let store = Meanwhile::of(&world, move || assert!(changes(&meanwhile).is_ok()));
    let refused = world.change_email_on(store, owner, "correct horse", "thief@example.org").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
    assert_eq!(world.store.grants(), []);
}

#[test]
fn an_address_that_somebody_had_for_a_moment_is_not_free() {
    let world = Arc::new(World::new());
    let pair = world.verified_ada();
    let token = on_the_way(&world, &pair, "new@example.org");
    let meanwhile = world.clone();
    // Between the query, which finds the address free, and the insert.
    let store = Meanwhile::of(&world, move || {
        meanwhile.confirm(&token).unwrap();
        let pair = meanwhile.log_in("new@example.org", "correct horse").unwrap().pair;
        meanwhile.deliver();
        meanwhile.confirm(&on_the_way(&meanwhile, &pair, "third@example.org")).unwrap();
    });
    let refused = world.register_on(store, "new@example.org", "battery staple").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Conflict);
}

#[test]
fn an_address_that_stays_the_same_needs_no_way_back() {
    let world = World::new();
    let (_, pair) = world.ada();
    world.deliver();
    let token = on_the_way(&world, &pair, "ADA@example.org");
    assert!(world.verify(&token).unwrap().first);
    assert!(world.deliver().is_empty());
}
