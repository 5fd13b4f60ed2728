//! Credentials, in addition to the conformance suite: what other programs write, and adopted accounts.

use crate::databases::TestDatabase;
use crate::samples::{newcomer, register};
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash};
use portcullis_ports::{BearerIdentity, StoreExt};

on_both! {
    password_that_another_program_sets_is_one,
    owners_of_an_address_include_all_spellings_that_were_adopted,
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// The other program knows nothing of `no_password_hash`.
fn password_that_another_program_sets_is_one<D: TestDatabase>() {
    let sandbox = D::new();
    let store = sandbox.store();
    let credentials = Credentials::without_password(hash("random"));
    let new = NewUser { credentials: credentials.clone(), ..newcomer("ada@example.com") };
    let ada = store.write(|tx| tx.users().insert(&new)).unwrap().unwrap().id;
    let bob = register(&store, "bob@example.com").unwrap().unwrap().id;
    let read = |id| {
        let owner = store.read(|tx| tx.credentials().owner(id)).unwrap().unwrap();
        let key = BearerIdentity { user_id: id, session_id: None };
        let bearer = store.read(|tx| tx.sessions().resolve_bearers(&[key])).unwrap()[0].clone().unwrap();
        assert_eq!(bearer.has_password, owner.credentials.has_password());
        owner.credentials
    };
    assert_eq!((read(ada).has_password(), read(bob).has_password()), (false, true));
    let set = |text: &str| sandbox.run(&format!("UPDATE users SET hashed_password = '{text}' WHERE id = {ada}"));
    set("$portcullis-2fa$random");
    assert!(!read(ada).has_password(), "another release removed or added the mark");
    set("set by another program");
    let found = read(ada);
    assert_eq!(found, Credentials::from_hash(hash("set by another program")));
    let replace = |read, new| store.write(|tx| tx.credentials().replace(ada, read, new)).unwrap();
    assert!(!replace(&credentials, &credentials), "the text is no longer the one that was read");
    assert!(replace(&found, &found.clone().with_hash(hash("rehashed"))));
    let stored = sandbox.rows("SELECT coalesce(no_password_hash, 'null') FROM users ORDER BY id");
    assert_eq!(stored.split_whitespace().collect::<Vec<_>>(), ["null", "null"]);
}

fn owners_of_an_address_include_all_spellings_that_were_adopted<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.store();
    let erin = EmailAddress::from_stored("ERIN@example.com".to_owned());
    let owners = store.read(|tx| tx.credentials().owners(&erin)).unwrap();
    assert_eq!(owners.iter().map(|owner| owner.user.id.get()).collect::<Vec<_>>(), [5, 6]);
    assert!(owners.iter().all(|owner| owner.credentials.has_password()));
}
