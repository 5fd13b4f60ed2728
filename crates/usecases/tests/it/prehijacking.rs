//! Accounts that an attacker registered with another person's email, or took over (account
//! pre-hijacking, USENIX Security 2022): whether the password stays when the owner verifies.

use crate::addresses::on_the_way;
use crate::limits::rules;
use crate::mail_fixtures::{Meanwhile, shown};
use crate::verification::{is_in, user};
use crate::world::World;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_domain::verification::OneTimeToken;
use portcullis_ports::StoreExt;
use portcullis_usecases::Caller;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::verification::{EmailVerification, EmailVerified, VerifyEmailError};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const ADA: &str = "ada@example.org";

fn signs_in(world: &World, email: &str, password: &str) -> bool {
    world.log_in(email, password).is_ok()
}

fn sign_in(world: &World, email: &str) -> LoggedIn {
    world.log_in(email, "correct horse").unwrap()
}

/// Changes Ada's email and returns the undo token sent to her.
fn undo(world: &World) -> OneTimeToken {
    let pair = world.verified_ada();
    world.confirm(&on_the_way(world, &pair, "new@example.org")).unwrap();
    world.mailed()
}

#[test]
fn unproven_password_is_removed_and_another_is_offered() {
    let world = World::new();
    let ada = world.register(ADA, "correct horse").unwrap().0.id;
    let verified = world.verify(&world.mailed()).unwrap();
    assert!(verified.password_removed && !signs_in(&world, ADA, "correct horse"));
    assert!(!world.owner(ada).credentials.has_password());
    assert_eq!(world.log_in(ADA, "correct horse").unwrap_err().code(), ErrorCode::InvalidCredentials);
    assert!(world.reset(&verified.reset.unwrap(), "battery staple").is_ok());
    assert!(signs_in(&world, ADA, "battery staple") && world.owner(ada).credentials.has_password());
}

#[test]
fn the_same_goes_for_a_new_address_and_for_an_undo() {
    let world = World::new();
    let pair = world.verified_ada();
    let changed = world.verify(&on_the_way(&world, &pair, "new@example.org")).unwrap();
    assert!(changed.password_removed && !signs_in(&world, "new@example.org", "correct horse"));
    assert!(world.reset(&changed.reset.unwrap(), "battery staple").is_ok());
    let world = World::new();
    let undone = world.verify(&undo(&world)).unwrap();
    assert!(undone.password_removed && !signs_in(&world, ADA, "correct horse"));
    assert!(world.reset(&undone.reset.unwrap(), "battery staple").is_ok() && signs_in(&world, ADA, "battery staple"));
}

#[test]
fn the_password_itself_a_session_or_a_known_device_keeps_it() {
    type Proof = fn(&World, &OneTimeToken) -> Result<EmailVerified, VerifyEmailError>;
    let proofs: [Proof; 3] = [
        |world, token| world.confirm(token),
        |world, token| world.verify_from(token, Some(&sign_in(world, ADA).pair), None),
        |world, token| world.verify_from(token, None, Some(sign_in(world, ADA).cookie)),
    ];
    for proof in proofs {
        let world = World::new();
        world.register(ADA, "correct horse").unwrap();
        let verified = proof(&world, &world.mailed()).unwrap();
        assert!(verified.first && !verified.password_removed && verified.reset.is_none());
        assert!(signs_in(&world, ADA, "correct horse"));
    }
}

#[test]
fn undo_with_the_password_keeps_it_and_still_offers_a_reset() {
    let world = World::new();
    let undone = world.confirm(&undo(&world)).unwrap();
    assert!(!undone.password_removed && signs_in(&world, ADA, "correct horse"));
    assert!(world.reset(&undone.reset.unwrap(), "battery staple").is_ok(), "a thief knew the password");
}

#[test]
fn a_device_from_before_the_change_proves_nothing_at_an_undo() {
    let world = World::new();
    let pair = world.verified_ada();
    let before = sign_in(&world, ADA).cookie;
    world.confirm(&on_the_way(&world, &pair, "new@example.org")).unwrap();
    let token = world.mailed();
    assert!(world.inspect_from(&token, Some(&before)).unwrap().asks_password);
    let after = sign_in(&world, "new@example.org").cookie;
    assert!(!world.inspect_from(&token, Some(&after)).unwrap().asks_password);
    assert!(world.verify_from(&token, None, Some(before)).unwrap().password_removed, "a thief knew that password");
}

#[test]
fn a_device_of_a_former_account_with_the_address_proves_nothing() {
    let world = World::new();
    world.register(ADA, "correct horse").unwrap();
    world.deliver();
    let LoggedIn { pair, cookie, .. } = sign_in(&world, ADA);
    world.leave(&pair, "correct horse").unwrap();
    world.register(ADA, "strangers' password").unwrap();
    let token = world.mailed();
    assert!(world.inspect_from(&token, Some(&cookie)).unwrap().asks_password);
    assert!(world.verify_from(&token, None, Some(cookie)).unwrap().password_removed);
    assert!(!signs_in(&world, ADA, "strangers' password"));
}

#[test]
fn a_device_from_before_another_password_proves_nothing() {
    let world = World::new();
    world.register(ADA, "correct horse").unwrap();
    world.deliver();
    let (own, thief) = (sign_in(&world, ADA).cookie, sign_in(&world, ADA).pair);
    world.change_password(&thief, "correct horse", "thieves' password").unwrap();
    world.resend(ADA).unwrap();
    assert!(world.verify_from(&world.mailed(), None, Some(own)).unwrap().password_removed);
    assert!(!signs_in(&world, ADA, "thieves' password"));
}

#[test]
fn a_wrong_password_uses_no_token_up_and_is_counted() {
    let world = World::limited(rules());
    world.register(ADA, "correct horse").unwrap();
    let token = world.mailed();
    let before = world.hasher.work.load(Ordering::SeqCst);
    for _ in 0..3 {
        let refused = world.verify_with(&token, "wrong").unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
    }
    assert_eq!(world.hasher.work.load(Ordering::SeqCst) - before, 3, "one hash a guess");
    assert_eq!(world.confirm(&token).unwrap_err().code(), ErrorCode::RateLimited);
    assert_eq!(world.hasher.work.load(Ordering::SeqCst) - before, 3, "none for what is refused");
    assert!(world.verify(&token).unwrap().password_removed, "without it, the token still works");
}

#[test]
fn a_token_that_is_worth_nothing_costs_no_hash() {
    let world = World::new();
    let before = world.hasher.work.load(Ordering::SeqCst);
    let token = OneTimeToken::new([7; 32]);
    assert_eq!(world.confirm(&token).unwrap_err().code(), ErrorCode::TokenInvalid);
    assert_eq!(world.verify(&token).unwrap_err().code(), ErrorCode::TokenInvalid);
    assert_eq!(world.hasher.work.load(Ordering::SeqCst), before);
}

#[test]
fn a_session_that_ends_meanwhile_proves_nothing() {
    let world = Arc::new(World::new());
    world.register(ADA, "correct horse").unwrap();
    let (token, pair) = (world.mailed(), sign_in(&world, ADA).pair);
    let (bearer, meanwhile) = (world.authenticate(&pair.access_token).ok(), world.clone());
    let store = Meanwhile::of(&world, move || assert!(meanwhile.log_out(&pair.refresh_token).is_ok()));
    let verified =
        world.verifying(store).run(EmailVerification { bearer, ..shown(&token) }, &Caller::default()).unwrap();
    assert!(verified.password_removed && !signs_in(&world, ADA, "correct horse"));
}

#[test]
fn password_rehashed_during_verification_is_checked_again() {
    let world = Arc::new(World::new());
    world.adopt(ADA, "old:correct horse");
    world.resend(ADA).unwrap();
    let (token, meanwhile) = (world.mailed(), world.clone());
    let store = Meanwhile::of(&world, move || assert!(signs_in(&meanwhile, ADA, "correct horse")));
    let input = EmailVerification { password: Some(Password::new("correct horse")), ..shown(&token) };
    let verified = world.verifying(store).run(input, &Caller::default()).unwrap();
    assert!(!verified.password_removed && signs_in(&world, ADA, "correct horse"));
}

#[test]
fn verification_is_refused_if_a_thief_replaces_the_password() {
    let world = Arc::new(World::new());
    let (token, meanwhile) = (undo(&world), world.clone());
    let id = user(&world, "new@example.org").unwrap().id;
    let store = Meanwhile::of(&world, move || {
        let stored = meanwhile.owner(id).credentials;
        let theirs = stored.clone().with_hash(PasswordHash::new("new:thieves' password".to_owned()));
        assert_eq!(meanwhile.store.write(|tx| tx.credentials().replace(id, &stored, &theirs)), Ok(true));
    });
    let input = EmailVerification { password: Some(Password::new("correct horse")), ..shown(&token) };
    let refused = world.verifying(store).run(input, &Caller::default()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidCredentials);
    assert!(world.verify(&token).unwrap().password_removed, "the token is not used up");
    assert!(!signs_in(&world, ADA, "thieves' password"));
}

#[test]
fn offered_reset_works_even_if_attacker_changed_the_password() {
    let world = World::new();
    let (_, stranger) = world.ada();
    world.deliver();
    world.change_password(&stranger, "correct horse", "strangers' password").unwrap();
    world.resend(ADA).unwrap();
    let verified = world.verify(&world.mailed()).unwrap();
    assert!(verified.password_removed && !is_in(&world, &stranger));
    assert!(!signs_in(&world, ADA, "strangers' password") && !signs_in(&world, ADA, "correct horse"));
    assert!(world.reset(&verified.reset.unwrap(), "battery staple").is_ok());
}

#[test]
fn unverified_old_email_is_neither_notified_nor_reserved() {
    let world = World::new();
    let (_, stranger) = world.ada();
    world.deliver();
    world.confirm(&on_the_way(&world, &stranger, "stranger@example.org")).unwrap();
    assert!(world.deliver().is_empty(), "its owner is told nothing");
    assert_eq!(world.store.grants(), [], "nothing can be undone");
    assert!(world.register(ADA, "battery staple").is_ok(), "its owner may have it");
    assert!(signs_in(&world, ADA, "battery staple") && !signs_in(&world, ADA, "correct horse"));
}
