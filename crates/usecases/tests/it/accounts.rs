//! Operator use cases on accounts, and concurrent logins.

use crate::mail_fixtures::new_password;
use crate::world::World;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_domain::sessions::EventKind;
use portcullis_domain::verification::OneTimeToken;
use portcullis_ports::{Clock, StoreExt};
use portcullis_usecases::registration::{
    AccountDeleted, AccountDisabled, AccountError, AccountFound, AccountReason, AccountRef, AccountsListed,
    DeleteAccount, DisableAccount, EmailVouched, EnableAccount, FindAccount, ListAccounts, PasswordOverride,
    SetPassword, VouchForEmail,
};
use portcullis_usecases::sessions::{ListSessions, NoSuchSession, RevokeSession};
use portcullis_usecases::tokens::TokenPair;
use portcullis_usecases::{Caller, UseCaseError};
use std::sync::Arc;

fn disable(world: &World, user_id: UserId) -> Result<AccountDisabled, AccountError> {
    let verb = DisableAccount { store: world.store.clone(), clock: world.clock.clone() };
    verb.run(user_id, &Caller::default())
}

pub(crate) fn set_password(world: &World, user_id: UserId, text: &str) -> Result<u64, AccountError> {
    let verb = SetPassword {
        store: world.store.clone(),
        hasher: world.hasher.clone(),
        screening: world.screening.clone(),
        clock: world.clock.clone(),
    };
    let input = PasswordOverride { user_id, password: new_password(text) };
    verb.run(&input, &Caller::default()).map(|set| set.sessions)
}

fn deletion(world: &World) -> DeleteAccount {
    DeleteAccount { store: world.store.clone(), clock: world.clock.clone() }
}

fn delete(world: &World, id: UserId) -> AccountDeleted {
    deletion(world).run(id, &Caller::default(), &mut |_| true).unwrap()
}

fn kinds(world: &World, user: &User) -> Vec<EventKind> {
    let session = world.store.sessions_of(user.id).first().unwrap().id;
    let events = world.store.read(|tx| tx.sessions().events(session, 9)).unwrap();
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn disabled_account_is_out_at_once_and_logs_in_once_enabled() {
    let world = World::new();
    let (ada, pair) = world.ada();
    assert_eq!(disable(&world, ada.id).unwrap(), AccountDisabled { changed: true, sessions: 1 });
    assert_eq!(kinds(&world, &ada), [EventKind::Disabled, EventKind::LogIn]);
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(world.authenticate(&pair.access_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(world.log_in("ada@example.org", "correct horse").unwrap_err().code(), ErrorCode::InvalidCredentials);
    assert_eq!(disable(&world, ada.id).unwrap(), AccountDisabled { changed: false, sessions: 0 });
    let enable = EnableAccount { store: world.store.clone() };
    assert!(enable.run(ada.id).unwrap().changed && !enable.run(ada.id).unwrap().changed);
    assert_eq!(world.authenticate(&pair.access_token).unwrap_err().code(), ErrorCode::TokenRevoked, "it stays out");
    assert!(world.log_in("ada@example.org", "correct horse").is_ok());
    let nobody = UserId::new(99);
    assert!(matches!(disable(&world, nobody), Err(AccountError::Refused(AccountReason::NotFound))));
    assert!(matches!(enable.run(nobody), Err(AccountError::Refused(AccountReason::NotFound))));
}

#[test]
fn a_password_that_an_operator_sets_ends_every_session() {
    let world = World::new();
    let (ada, pair) = world.ada();
    assert!(matches!(
        set_password(&world, ada.id, "ada@example.org"),
        Err(AccountError::Refused(AccountReason::CommonPassword))
    ));
    assert!(world.authenticate(&pair.access_token).is_ok());
    assert_eq!(set_password(&world, ada.id, "battery staple").unwrap(), 1);
    assert_eq!(kinds(&world, &ada), [EventKind::PasswordChanged, EventKind::LogIn]);
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert!(world.log_in("ada@example.org", "correct horse").is_err());
    assert!(world.log_in("ada@example.org", "battery staple").is_ok());
    assert!(matches!(
        set_password(&world, UserId::new(99), "battery staple"),
        Err(AccountError::Refused(AccountReason::NotFound))
    ));
}

#[test]
fn deleted_account_leaves_nothing_and_frees_its_email() {
    let world = World::new();
    let (ada, pair) = world.ada();
    world.refresh(&pair.refresh_token).unwrap();
    let deleted = delete(&world, ada.id);
    assert_eq!((deleted.began, deleted.rows, deleted.complete), (true, 5, true), "two tokens, a session, two events");
    assert!(world.store.tokens_of(ada.id).is_empty() && world.store.sessions_of(ada.id).is_empty());
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenInvalid);
    let again = delete(&world, ada.id);
    assert_eq!((again.began, again.rows, again.complete), (false, 0, true));
    let (anew, _) = world.ada();
    assert_ne!(anew.id, ada.id);
}

#[test]
fn interrupted_deletion_is_finished_by_a_purge_or_the_next_one() {
    for purges in [true, false] {
        let world = World::new();
        let (ada, pair) = world.ada();
        for _ in 0..200 {
            world.log_in("ada@example.org", "correct horse").unwrap();
        }
        let stopped = deletion(&world).run(ada.id, &Caller::default(), &mut |_| false).unwrap();
        assert!(stopped.began && !stopped.complete && stopped.rows > 0, "{stopped:?}");
        assert!(world.authenticate(&pair.access_token).is_err());
        let left = world.store.tokens_of(ada.id).len();
        assert!(left > 0);
        let rows = if purges { world.purge().run(&mut |_| true).unwrap().rows } else { delete(&world, ada.id).rows };
        assert!(rows > u64::try_from(left).unwrap());
        assert!(world.store.tokens_of(ada.id).is_empty() && world.store.sessions_of(ada.id).is_empty());
        assert_eq!(world.store.read(|tx| tx.users().list_marked_deleted(9)).unwrap(), []);
    }
}

/// A table of another program refers to some accounts.
#[test]
fn a_deletion_that_cannot_be_finished_holds_up_no_other() {
    let world = World::new();
    let users: Vec<_> = (0..4).map(|number| world.adopt(&format!("n{number}@example.org"), "new:x")).collect();
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    for id in &ids[..2] {
        world.store.refer_to(*id, "orders");
    }
    let deleted = delete(&world, ids[0]);
    assert_eq!((deleted.began, deleted.complete, deleted.referenced_by.as_deref()), (true, true, Some("orders")));
    for user in &users[1..3] {
        assert!(deletion(&world).begin(user.id, &Caller::default()).unwrap());
    }
    let purge = world.purge();
    for _ in 0..2 {
        let purged = purge.run(&mut |_| true).unwrap();
        let mut named: Vec<_> = purged.tombstones.iter().map(ToString::to_string).collect();
        named.sort();
        assert_eq!(named, [format!("{} (orders)", ids[0]), format!("{} (orders)", ids[1])]);
        assert!(purged.complete);
    }
    let left = world.store.read(|tx| tx.users().list_marked_deleted(9)).unwrap();
    assert!(left.len() == 2 && !left.contains(&ids[2]), "{left:?}");
    let begun = |id| deletion(&world).has_begun(id).unwrap();
    assert_eq!([begun(ids[0]), begun(ids[2]), begun(ids[3])], [true, false, false]);
    let again = delete(&world, ids[0]);
    assert_eq!((again.began, again.referenced_by.as_deref()), (false, Some("orders")));
}

#[test]
fn login_begins_no_session_if_account_changed_since_lookup() {
    type Happens = fn(&World, &User, &TokenPair, &OneTimeToken);
    let happenings: [Happens; 6] = [
        |world, ada, _, _| assert!(disable(world, ada.id).unwrap().changed),
        |world, ada, _, _| assert_eq!(set_password(world, ada.id, "battery staple").unwrap(), 1),
        |world, ada, _, _| assert!(delete(world, ada.id).began),
        |world, _, pair, _| assert!(world.change_password(pair, "correct horse", "battery staple").is_ok()),
        |world, _, _, _| {
            world.forgot("ada@example.org").unwrap();
            assert!(world.reset(&world.mailed(), "battery staple").is_ok());
        },
        |world, _, _, token| assert!(world.verify(token).unwrap().password_removed),
    ];
    for (number, happens) in happenings.into_iter().enumerate() {
        let world = Arc::new(World::new());
        let (ada, pair) = world.ada();
        let token = world.mailed();
        let begun = world.store.sessions_of(ada.id).len();
        let id = ada.id;
        let code = world.log_in_meanwhile(move |world| happens(world, &ada, &pair, &token));
        assert_eq!(code, Some(ErrorCode::InvalidCredentials), "{number}");
        assert!(world.store.sessions_of(id).len() <= begun, "{number}");
    }
}

#[test]
fn a_login_whose_hash_another_login_replaced_signs_in() {
    let world = Arc::new(World::new());
    let ada = world.adopt("ada@example.org", "old:correct horse");
    let code = world.log_in_meanwhile(|world| drop(world.log_in("ada@example.org", "correct horse").unwrap()));
    assert_eq!(code, None);
    assert_eq!(world.store.sessions_of(ada.id).len(), 2);
}

#[test]
fn account_is_found_by_id_or_by_the_email_that_login_accepts() {
    let world = World::new();
    let (ada, _) = world.ada();
    let erins = ["Erin@example.org", "erin@example.org"].map(|email| world.adopt(email, "new:x").id);
    let find = |name| FindAccount { store: world.store.clone() }.run(&name).map(|AccountFound(user)| user.id);
    let email = |text: &str| AccountRef::Email(EmailAddress::parse(text).unwrap());
    assert_eq!(find(AccountRef::Id(ada.id)).unwrap(), ada.id);
    assert_eq!(find(email("ADA@example.org")).unwrap(), ada.id);
    assert_eq!(find(email("Erin@example.org")).unwrap(), erins[0]);
    let error = find(email("ERIN@example.org")).unwrap_err();
    assert_eq!(error.to_string(), "several accounts have that email in other spellings: 2, 3");
    assert!(matches!(find(email("bob@example.org")), Err(AccountError::Refused(AccountReason::NotFound))));
    assert!(matches!(find(AccountRef::Id(UserId::new(9))), Err(AccountError::Refused(AccountReason::NotFound))));
}

#[test]
fn all_accounts_are_told_until_somebody_says_stop() {
    let world = World::new();
    for number in 0..1200 {
        world.adopt(&format!("n{number}@example.org"), "new:x");
    }
    let verb = ListAccounts { store: world.store.clone() };
    let mut told = Vec::new();
    let all = verb.run(&mut |user| {
        told.push(user.unwrap().id.get());
        true
    });
    assert_eq!(all.unwrap(), AccountsListed(1200));
    assert_eq!(told, (1..=1200).collect::<Vec<_>>());
    assert_eq!(verb.run(&mut |user| user.unwrap().id.get() < 3).unwrap(), AccountsListed(3));
}

#[test]
fn an_operator_lists_and_revokes_whosever_sessions() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let other = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let list = ListSessions { store: world.store.clone(), sessions: world.sessions, clock: world.clock.clone() };
    let listed = list.for_user(ada.id).unwrap().0;
    assert!(listed.len() == 2 && listed.iter().all(|own| !own.current));
    let current = world.authenticate(&pair.access_token).unwrap().session_id.unwrap();
    let verb = RevokeSession { store: world.store.clone(), clock: world.clock.clone() };
    let operator = Caller::default();
    assert!(verb.by_operator(current, &operator).unwrap() && !verb.by_operator(current, &operator).unwrap());
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    let unknown = portcullis_domain::sessions::SessionId::from_random([9; 16]);
    assert!(matches!(verb.by_operator(unknown, &operator), Err(UseCaseError::Refused(NoSuchSession))));
    assert_eq!((verb.all_for_user(ada.id, &operator).unwrap(), verb.all_for_user(ada.id, &operator).unwrap()), (1, 0));
    assert_eq!(world.refresh(&other.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[test]
fn an_operator_vouches_for_an_address_and_nothing_else_changes() {
    let world = World::new();
    let (ada, _) = world.ada();
    let verb = VouchForEmail { store: world.store.clone(), clock: world.clock.clone() };
    let other = EmailAddress::parse("eve@example.org").unwrap();
    assert!(
        matches!(verb.run(ada.id, &other), Err(AccountError::Refused(AccountReason::NotFound))),
        "it has another address by now"
    );
    let before = world.owner(ada.id).credentials;
    let find = || world.store.read(|tx| tx.users().find(ada.id)).unwrap().unwrap();
    assert_eq!(find().email_verified_at, None);
    assert_eq!(verb.run(ada.id, &ada.email).unwrap(), EmailVouched { changed: true });
    let verified = find();
    assert_eq!(verified.email_verified_at, Some(world.clock.now()));
    assert_eq!(world.owner(ada.id).credentials, before);
    assert_eq!(verb.run(ada.id, &ada.email).unwrap(), EmailVouched { changed: false });
    assert!(matches!(verb.run(UserId::new(99), &ada.email), Err(AccountError::Refused(AccountReason::NotFound))));
}
