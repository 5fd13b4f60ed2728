//! Changed and forgotten passwords.

use crate::accounts::set_password;
use crate::mail_fixtures::{Call, Meanwhile, all_at_once, entered, new_password, reset_of};
use crate::world::World;
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Occasion;
use portcullis_domain::registration::{EmailAddress, PasswordHash, User};
use portcullis_domain::verification::{OneTimeToken, Purpose};
use portcullis_ports::{Clock, StoreExt, TxMode};
use portcullis_testkit::{Accesses, Watched};
use portcullis_usecases::recovery::{ChangePassword, PasswordChange};
use portcullis_usecases::tokens::TokenPair;
use portcullis_usecases::{Caller, Counted};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

fn is_revoked(world: &World, pair: &TokenPair) -> bool {
    world.refresh(&pair.refresh_token).is_err_and(|error| error.code() == ErrorCode::TokenRevoked)
}

fn signs_in(world: &World, password: &str) -> bool {
    world.log_in("ada@example.org", password).is_ok()
}

/// Returns a reset token from Ada's email.
fn forgotten(world: &World) -> OneTimeToken {
    world.forgot("ada@example.org").unwrap();
    world.mailed()
}

#[test]
fn password_change_ends_other_sessions_and_notifies_the_owner() {
    let world = World::new();
    let here = world.verified_ada();
    let there = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    world.change_email(&here, "correct horse", "new@example.org").unwrap();
    let link = world.mailed();
    assert_eq!(world.change_password(&here, "correct horse", "battery staple").unwrap().sessions_ended, 1);
    assert!(is_revoked(&world, &there) && world.authenticate(&here.access_token).is_ok());
    assert!(!signs_in(&world, "correct horse") && signs_in(&world, "battery staple"));
    assert_eq!(world.deliver(), [("password_changed".to_owned(), "ada@example.org".to_owned())]);
    assert_eq!(world.verify(&link).unwrap_err().code(), ErrorCode::TokenInvalid, "mailed before");
}

#[test]
fn a_change_of_the_password_needs_the_password_and_a_better_one() {
    let world = World::new();
    let pair = world.verified_ada();
    let refused = |current, new| world.change_password(&pair, current, new).unwrap_err().code();
    assert_eq!(refused("wrong", "battery staple"), ErrorCode::InvalidCredentials);
    let before = world.hasher.work.load(Ordering::SeqCst);
    assert_eq!(refused("correct horse", "ada@example.org"), ErrorCode::Validation);
    assert_eq!(world.hasher.work.load(Ordering::SeqCst), before, "no hash for what is refused anyway");
    assert!(signs_in(&world, "correct horse") && world.deliver().is_empty());
}

#[test]
fn every_new_hash_keeps_the_mark_of_a_second_factor() {
    let world = World::new();
    let User { id: ada, email, .. } = world.adopt("ada@example.org", "$portcullis-2fa$old:correct horse");
    let credentials = || world.owner(ada).credentials;
    let is_marked = |password: &str| {
        let stored = credentials();
        stored.is_marked() && stored.hash().expose().starts_with("new.") && stored.hash().expose().ends_with(password)
    };
    let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    assert!(is_marked(":correct horse"), "hashed anew at a login");
    world.change_password(&pair, "correct horse", "battery staple").unwrap();
    assert!(is_marked(":battery staple"), "changed");
    // A reset of an unverified account removes what a stranger may have set up.
    assert!(world.store.write(|tx| tx.users().verify_email(ada, &email, world.clock.now())).unwrap());
    world.reset(&forgotten(&world), "forgotten staple").unwrap();
    assert!(is_marked(":forgotten staple"), "reset");
    set_password(&world, ada, "operator's staple").unwrap();
    assert!(is_marked(":operator's staple"), "set by an operator");
}

#[test]
fn password_change_succeeds_despite_a_concurrent_rehash() {
    let world = Arc::new(World::new());
    let first = world.owner(world.adopt("ada@example.org", "new:correct horse").id);
    let pair = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let anew = first.credentials.clone().with_hash(PasswordHash::new("new.x:correct horse".to_owned()));
    let meanwhile = world.clone();
    let replaces = move || {
        let replaced = meanwhile.store.write(|tx| tx.credentials().replace(first.user.id, &first.credentials, &anew));
        assert!(replaced.unwrap());
    };
    let owners = world.owners_on(Meanwhile::of(&world, replaces));
    let (screening, outbox, clock) = (world.screening.clone(), world.outbox.clone(), world.clock.clone());
    let verb = ChangePassword { reauthentication: owners, screening, outbox, clock };
    let owner = world.authenticate(&pair.access_token).unwrap();
    let (current, new) = (entered("correct horse"), new_password("battery staple"));
    let before = world.hasher.work.load(Ordering::SeqCst);
    verb.run(&PasswordChange { owner, current, new }, &Caller::default()).unwrap();
    assert_eq!(world.hasher.work.load(Ordering::SeqCst) - before, 3, "two verifications, and one hash");
    assert!(signs_in(&world, "battery staple"));
}

#[test]
fn reset_sets_the_password_ends_all_sessions_and_begins_none() {
    let world = World::new();
    let (ada, pair) = world.ada();
    world.deliver();
    let token = forgotten(&world);
    assert_eq!(world.inspect(&token), Some(Purpose::ResetPassword));
    assert_eq!(world.reset(&token, "battery staple").unwrap().sessions_ended, 1);
    assert!(is_revoked(&world, &pair));
    assert!(world.store.sessions_of(ada.id).iter().all(|session| session.ended_at.is_some()));
    assert!(!signs_in(&world, "correct horse") && signs_in(&world, "battery staple"));
    let user = world.store.accounts(&ada.email).unwrap().remove(0);
    assert!(user.email_verified_at.is_some(), "the token came by mail");
    assert_eq!(world.deliver(), [("password_changed".to_owned(), "ada@example.org".to_owned())]);
    assert_eq!(world.reset(&token, "battery staple").unwrap_err().code(), ErrorCode::TokenInvalid, "used");
    assert_eq!(world.inspect(&token), None);
}

#[test]
fn link_dies_with_expiry_newer_link_password_email_or_account() {
    let dies = |happens: &dyn Fn(&World, &TokenPair), code: ErrorCode| {
        let world = World::new();
        let pair = world.verified_ada();
        let token = forgotten(&world);
        happens(&world, &pair);
        let before = world.hasher.work.load(Ordering::SeqCst);
        assert_eq!(world.reset(&token, "battery staple").unwrap_err().code(), code);
        assert_eq!(world.hasher.work.load(Ordering::SeqCst), before, "a token that is worth nothing gets no hash");
        assert_eq!(world.inspect(&token), None);
    };
    dies(&|world, _| world.pass(TimeDelta::minutes(30)), ErrorCode::TokenExpired);
    dies(
        &|world, _| assert_eq!(world.inspect(&forgotten(world)), Some(Purpose::ResetPassword)),
        ErrorCode::TokenInvalid,
    );
    dies(
        &|world, pair| assert!(world.change_password(pair, "correct horse", "another horse").is_ok()),
        ErrorCode::TokenInvalid,
    );
    dies(
        &|world, pair| {
            world.change_email(pair, "correct horse", "new@example.org").unwrap();
            world.verify(&world.mailed()).unwrap();
        },
        ErrorCode::TokenInvalid,
    );
    dies(
        &|world, pair| world.store.set_active(world.authenticate(&pair.access_token).unwrap().user.id, false),
        ErrorCode::TokenInvalid,
    );
    dies(&|world, pair| world.leave(pair, "correct horse").unwrap(), ErrorCode::TokenInvalid);
}

#[test]
fn link_is_valid_to_the_end_and_if_the_clock_moves_back() {
    let world = World::new();
    world.verified_ada();
    let token = forgotten(&world);
    world.pass(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
    assert_eq!(world.inspect(&token), Some(Purpose::ResetPassword));
    world.clock.set(chrono::DateTime::UNIX_EPOCH);
    assert!(world.reset(&token, "battery staple").is_ok());
}

#[test]
fn only_a_token_for_it_sets_a_password() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let token = world.mailed();
    assert_eq!(world.reset(&token, "battery staple").unwrap_err().code(), ErrorCode::TokenInvalid);
    assert_eq!(world.inspect(&token), Some(Purpose::VerifyEmail), "it is not used up");
    let unknown = OneTimeToken::new([1; 32]);
    assert_eq!(world.reset(&unknown, "battery staple").unwrap_err().code(), ErrorCode::TokenInvalid);
    let reset = forgotten(&world);
    assert_eq!(world.verify(&reset).unwrap_err().code(), ErrorCode::TokenInvalid);
    assert!(world.reset(&reset, "battery staple").is_ok());
}

#[test]
fn a_common_password_uses_no_token_up() {
    let world = World::new();
    world.verified_ada();
    let token = forgotten(&world);
    let (common, reset) = (reset_of(&token, "ada@example.org"), world.resetting());
    assert!(reset.precheck(&common).is_ok(), "the blocklist is work for the lane of hashes");
    assert_eq!(reset.execute(&common, &Caller::default()).unwrap_err().code(), ErrorCode::Validation);
    assert!(world.reset(&token, "battery staple").is_ok());
}

#[test]
fn of_many_who_show_one_token_one_sets_the_password() {
    for _ in 0..20 {
        let world = World::new();
        world.verified_ada();
        let token = forgotten(&world);
        let (world, token) = (&world, &token);
        let call = |number: usize| -> Call<'_, bool> {
            Box::new(move || world.reset(token, &format!("password {number}")).is_ok())
        };
        let won = all_at_once((0..8).map(call).collect());
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let winner = won.iter().position(|won| *won).unwrap();
        assert!(signs_in(world, &format!("password {winner}")));
    }
}

#[test]
fn a_reset_beside_a_login_that_makes_the_hash_anew_always_holds() {
    for _ in 0..40 {
        let world = World::new();
        let ada = world.adopt("ada@example.org", "old:correct horse");
        let token = forgotten(&world);
        let (one, two) = (&world, &world);
        let done = all_at_once::<bool>(vec![
            Box::new(|| one.reset(&token, "battery staple").is_ok()),
            Box::new(|| two.log_in("ada@example.org", "correct horse").is_ok()),
        ]);
        assert!(done[0], "the password is the same, and so the link is good");
        assert!(world.store.sessions_of(ada.id).iter().all(|session| session.ended_at.is_some()));
        assert!(!signs_in(&world, "correct horse") && signs_in(&world, "battery staple"));
    }
}

#[test]
fn store_outage_between_the_steps_leaves_nothing_half_done() {
    let world = World::new();
    let pair = world.verified_ada();
    let token = forgotten(&world);
    let verb = world.resetting();
    verb.precheck(&reset_of(&token, "battery staple")).unwrap();
    world.without_store(|| {
        let lost = verb.execute(&reset_of(&token, "battery staple"), &Caller::default()).unwrap_err();
        assert_eq!(lost.code(), ErrorCode::Unavailable);
        assert_eq!(world.forgot("ada@example.org").unwrap_err().code(), ErrorCode::Unavailable);
    });
    assert!(world.authenticate(&pair.access_token).is_ok() && signs_in(&world, "correct horse"));
    assert!(world.deliver().is_empty());
    assert!(world.reset(&token, "battery staple").is_ok());
}

#[test]
fn who_forgot_is_answered_with_the_same_work_known_or_unknown() {
    let world = World::new();
    world.verified_ada();
    let (hashes, rings) = (world.hasher.work.load(Ordering::SeqCst), world.notifier.0.load(Ordering::SeqCst));
    for email in ["ada@example.org", "nobody@example.org"] {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let counted = calls.clone();
        let store = Arc::new(Watched::new(world.store.clone(), move |call| {
            call.run()?;
            counted.lock().unwrap().push((call.mode, call.accesses));
            Ok(())
        }));
        world.forgot_on(store, email).unwrap();
        let (lookup, order) =
            (Accesses { credentials: 1, ..Accesses::default() }, Accesses { outbox: 1, ..Accesses::default() });
        let work = [(TxMode::Read, lookup), (TxMode::Write, order)];
        assert_eq!(*calls.lock().unwrap(), work, "one lookup and one row: {email}");
    }
    assert_eq!(world.hasher.work.load(Ordering::SeqCst), hashes);
    assert_eq!(world.notifier.0.load(Ordering::SeqCst), rings + 2);
    let orders = world.store.mails();
    assert!(orders.len() == 2 && orders.iter().all(|mail| mail.mail.user_id.is_none()));
    assert_eq!(world.deliver(), [("reset_password".to_owned(), "ada@example.org".to_owned())]);
}

#[test]
fn one_notice_turned_off_leaves_the_others() {
    let world = World::new().noticing(&[Occasion::NewDevice]);
    let pair = world.verified_ada();
    world.change_password(&pair, "correct horse", "battery staple").unwrap();
    assert!(world.deliver().is_empty());
    let token = forgotten(&world);
    assert!(world.reset(&token, "correct horse").is_ok(), "what is no notice cannot be turned off");
}

#[test]
fn no_token_is_stored() {
    let world = World::new();
    world.verified_ada();
    world.forgot("ada@example.org").unwrap();
    let order = world.store.mails().remove(0).mail;
    let token = forgotten(&world);
    let record = world.store.grants().remove(0);
    for stored in [*order.seed.as_bytes(), *record.digest.as_bytes(), *record.password.as_bytes()] {
        assert!(world.reset(&OneTimeToken::new(stored), "battery staple").is_err());
        assert_ne!(OneTimeToken::new(stored), token);
    }
    assert_eq!(record.email, EmailAddress::from_stored("ada@example.org".to_owned()));
}
