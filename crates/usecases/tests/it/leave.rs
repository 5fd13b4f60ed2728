//! Owners who delete their accounts.

use crate::mail_fixtures::{Call, all_at_once};
use crate::world::World;
use portcullis_domain::ErrorCode;
use portcullis_usecases::registration::DeleteAccount;
use portcullis_usecases::{Caller, Counted};

#[test]
fn an_account_goes_with_all_that_belongs_to_it() {
    let world = World::new();
    let pair = world.verified_ada();
    let id = world.authenticate(&pair.access_token).unwrap().user.id;
    world.log_in("ada@example.org", "correct horse").unwrap();
    world.forgot("ada@example.org").unwrap();
    let token = world.mailed();
    world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    world.leave(&pair, "correct horse").unwrap();
    assert!(world.store.sessions_of(id).is_empty() && world.store.tokens_of(id).is_empty());
    assert!(world.store.grants().is_empty() && world.store.mails().is_empty() && world.deliver().is_empty());
    assert!(world.authenticate(&pair.access_token).is_err() && world.refresh(&pair.refresh_token).is_err());
    assert_eq!(world.reset(&token, "battery staple").unwrap_err().code(), ErrorCode::TokenInvalid);
    assert_eq!(world.log_in("ada@example.org", "correct horse").unwrap_err().code(), ErrorCode::InvalidCredentials);
    assert!(world.register("ada@example.org", "battery staple").is_ok(), "the address is free");
}

#[test]
fn an_address_that_it_had_before_is_free_as_well() {
    let world = World::new();
    let pair = world.verified_ada();
    world.change_email(&pair, "correct horse", "new@example.org").unwrap();
    world.confirm(&world.mailed()).unwrap();
    let pair = world.log_in("new@example.org", "correct horse").unwrap().pair;
    assert!(world.register("ada@example.org", "battery staple").is_err());
    // Immediately, though its rows are deleted later.
    let user_id = world.authenticate(&pair.access_token).unwrap().user.id;
    let deletion = DeleteAccount { store: world.store.clone(), clock: world.clock.clone() };
    assert!(deletion.begin(user_id, &Caller::default()).unwrap());
    assert!(world.register("ada@example.org", "battery staple").is_ok());
    assert_eq!(world.deliver(), [("verify_email".to_owned(), "ada@example.org".to_owned())]);
}

#[test]
fn wrong_password_or_store_outage_deletes_no_account() {
    let world = World::new();
    let pair = world.verified_ada();
    assert_eq!(world.leave(&pair, "wrong").unwrap_err().code(), ErrorCode::InvalidCredentials);
    let owner = world.authenticate(&pair.access_token).unwrap();
    let input = crate::mail_fixtures::leave_of(owner, "correct horse");
    let lost = world.without_store(|| world.leaving().run(&input, &Caller::default())).unwrap_err();
    assert_eq!(lost.code(), ErrorCode::Unavailable);
    assert!(world.authenticate(&pair.access_token).is_ok());
}

#[test]
fn account_deletion_and_password_change_exclude_each_other() {
    for _ in 0..40 {
        let world = World::new();
        let pair = world.verified_ada();
        let owner = || world.authenticate(&pair.access_token).unwrap();
        let (one, two) = (crate::mail_fixtures::leave_of(owner(), "correct horse"), &world);
        let verb = world.leaving();
        let change = world.changing(owner(), "correct horse", "battery staple");
        let calls: Vec<Call<'_, bool>> =
            vec![Box::new(|| verb.run(&one, &Caller::default()).is_ok()), Box::new(move || change(two).is_ok())];
        let done = all_at_once(calls);
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    }
}
