//! Registration.

use crate::world::{World, registration_of};
use portcullis_domain::ErrorCode;
use portcullis_usecases::registration::Registered;
use portcullis_usecases::{Caller, Counted};
use std::sync::atomic::Ordering;

#[test]
fn an_account_is_made_active_and_in_lower_case() {
    let world = World::new();
    let Registered(user) = world.register(" Ada@Example.ORG ", "correct horse").unwrap();
    assert_eq!((user.email.original(), user.is_active), ("ada@example.org", true));
    assert_eq!(world.owner(user.id).credentials.text().split_once(':').unwrap().1, "correct horse");
}

#[test]
fn taken_email_is_a_conflict_in_any_case_and_costs_no_hash() {
    let world = World::new();
    world.register("ada@example.org", "correct horse").unwrap();
    let before = world.hasher.work.load(Ordering::SeqCst);
    let error = world.register("ADA@example.org", "another horse").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(world.hasher.work.load(Ordering::SeqCst), before);
}

#[test]
fn a_password_that_its_context_suggests_is_refused() {
    let world = World::new();
    for password in ["ada.lovelace@example.org", "ada.lovelace", "Gatehouse", "portcullis"] {
        let error = world.register("Ada.Lovelace@example.org", password).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Validation, "{password}");
    }
    // The blocklist check is work for the hash lane, and admission runs before it.
    let caller = Caller::default();
    let (register, common) = (world.registering(world.store.clone()), registration_of("ada@example.org", "portcullis"));
    let admission = register.count(&register.attempts(&common, &caller)[0]).unwrap();
    assert_eq!(register.execute(&common, &caller, admission).unwrap_err().code(), ErrorCode::Validation);
}

#[test]
fn no_third_joins_two_adopted_accounts_that_differ_by_case() {
    let world = World::new();
    world.adopt("Erin@example.com", "new:a");
    world.adopt("erin@example.com", "new:b");
    assert_eq!(world.register("eRIN@example.com", "correct horse").unwrap_err().code(), ErrorCode::Conflict);
}

#[test]
fn a_store_that_is_gone_is_unavailable() {
    let world = World::new();
    let lost = world.without_store(|| world.register("ada@example.org", "correct horse")).unwrap_err();
    assert_eq!(lost.code(), ErrorCode::Unavailable);
    assert!(world.register("ada@example.org", "correct horse").is_ok());
}
