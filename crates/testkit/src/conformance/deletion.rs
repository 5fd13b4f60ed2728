//! Conformance of stores: deleting accounts.

use super::prelude::*;
use super::{factors, identities, passkeys};
use portcullis_domain::passkeys::UserHandle;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

pub fn account_being_deleted_is_invisible_to_lookups(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let token = add_token(store, &ada, jti(1))?;
    assert!(begin(store, ada.id)?);
    assert!(!begin(store, ada.id)?, "once");
    assert!(!begin(store, UserId::new(i64::MAX))?);
    assert_eq!(store.read(|tx| tx.users().list_marked_deleted(10))?, [ada.id]);
    assert_eq!(store.read(|tx| tx.users().find(ada.id))?, None);
    assert_eq!(store.read(|tx| tx.users().find_by_email(&ada.email))?, []);
    assert_eq!(store.read(|tx| tx.credentials().owner(ada.id))?, None);
    assert_eq!(store.read(|tx| tx.credentials().owners(&ada.email))?, []);
    assert_eq!(store.read(|tx| tx.users().list(None, 10))?, [Ok(bob)]);
    assert!(!store.write(|tx| tx.users().set_active(ada.id, true))?);
    assert!(!store.write(|tx| tx.credentials().still_current(ada.id, &first_credentials()))?);
    assert!(!store.write(|tx| tx.credentials().replace(ada.id, &first_credentials(), &credentials("second")))?);
    assert_eq!(store.rotate(&[rotation(&ada, token.jti, jti(2))])?, [false]);
    let key = BearerIdentity { user_id: ada.id, session_id: token.session_id };
    let bearer = store.read(|tx| tx.sessions().resolve_bearers(&[key]))?.into_iter().flatten().next();
    assert!(bearer.is_none_or(|found| !found.user.is_active));
    let again = register(store, "Ada@example.com")?;
    assert!(again.id > ada.id, "its address is free, and its number stays its own");
    Ok(())
}

pub fn account_deletion_removes_exactly_its_own_rows_in_batches(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let keep = add_token(store, &bob, jti(9))?;
    record(store, keep.session_id_or_legacy(), 2)?;
    for number in 1..=3 {
        let token = add_token(store, &ada, jti(number))?;
        record(store, token.session_id_or_legacy(), 2)?;
    }
    add_adopted_token(store, &ada, jti(4))?;
    for (number, user) in [(1, &ada), (2, &ada), (3, &bob)] {
        mail(store, user, number)?;
    }
    for (number, user) in [(1, &ada), (2, &bob)] {
        store.write(|tx| {
            tx.factors().replace_pending(&factors::pending(user, number))?;
            tx.factors().replace_recovery_codes(user.id, &[factors::code(number)])?;
            tx.factors().trust(&factors::device(user, number, 60))?;
            tx.identities().insert(&identities::identity(user, number))?;
            tx.passkeys().insert(&passkeys::passkey(user, number))?;
            tx.passkeys().set_handle(user.id, &UserHandle::from_random([number; 32]))?;
            tx.sign_ins().insert_code(&identities::code(user, number))
        })?;
    }
    assert_eq!(strip(store, ada.id, 100)?, 0, "nothing of an account that is kept");
    assert!(begin(store, ada.id)? && !finish(store, ada.id)?, "not before the rest is");
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(strip(store, ada.id, 4)?);
    }
    assert!(steps.iter().all(|rows| *rows <= 4), "{steps:?}");
    let (sessions, rest) = (4 + 3 + 6, 2 + 2 + 3 + 3);
    assert_eq!(steps.iter().sum::<u64>(), sessions + rest, "with links, mails, factors, passkey, identity and code");
    assert!(finish(store, ada.id)? && finish(store, ada.id)?, "gone is gone");
    assert_eq!(store.read(|tx| tx.users().list_marked_deleted(10))?, []);
    assert_eq!(rows(store)?, (1, 1), "another's are left alone");
    let links = [1, 2, 3].map(|number| store.read(|tx| tx.one_time_tokens().find(TokenDigest::new([number; 32]))));
    assert_eq!(links.map(|link| link.map(|link| link.is_some())), [Ok(false), Ok(false), Ok(true)]);
    assert_eq!(store.read(|tx| tx.outbox().count(9))?.waiting, 1);
    assert!(!store.write(|tx| tx.factors().use_recovery_code(ada.id, &factors::code(1), at(9)))?);
    assert_eq!(store.read(|tx| tx.factors().sealed_secrets(RowCursor::FIRST, 9))?.len(), 1);
    assert_eq!(store.read(|tx| tx.factors().recovery_codes_left(bob.id))?, 1);
    assert_eq!(store.read(|tx| tx.factors().trusted_devices(bob.id, at(0)))?.len(), 1);
    assert_eq!(store.read(|tx| tx.identities().list(ada.id))?, []);
    assert_eq!(store.read(|tx| tx.identities().list(bob.id))?, [identities::identity(&bob, 2)]);
    let passkeys = [&ada, &bob].map(|user| store.read(|tx| tx.passkeys().list(user.id)));
    assert_eq!(passkeys, [Ok(vec![]), Ok(vec![passkeys::passkey(&bob, 2)])]);
    let handles = [&ada, &bob].map(|user| store.read(|tx| tx.passkeys().handle(user.id)));
    assert_eq!(handles, [Ok(None), Ok(Some(UserHandle::from_random([2; 32])))]);
    let codes = [(&ada, 1), (&bob, 2)].map(|(user, number)| identities::code(user, number).digest);
    let [adas, bobs] = codes.map(|code| store.read(|tx| tx.sign_ins().code(&code)));
    assert_eq!((adas?, bobs?), (None, Some(identities::code(&bob, 2))));
    assert_eq!(store.read(|tx| tx.sessions().events(keep.session_id_or_legacy(), 10))?.len(), 2);
    assert!(finish(store, bob.id)?, "it is not being deleted");
    assert_eq!(store.read(|tx| tx.users().find(bob.id))?, Some(bob));
    Ok(())
}

pub fn those_deleted_for_longest_come_first(store: &dyn Store) -> Outcome {
    let mut made = Vec::new();
    for (number, seconds) in [20, 10, 30].into_iter().enumerate() {
        let id = register(store, &format!("n{number}@example.com"))?.id;
        store.write(|tx| tx.users().mark_deleted(id, at(seconds)))?;
        made.push(id);
    }
    let order: Vec<_> = [made.get(1), made.first(), made.get(2)].into_iter().flatten().copied().collect();
    for (limit, most) in [(0, 0), (2, 2), (9, 3)] {
        assert_eq!(
            store.read(|tx| tx.users().list_marked_deleted(limit))?.as_slice(),
            order.get(..most).unwrap_or_default()
        );
    }
    Ok(())
}

/// Concurrent logins, refreshes and first exchanges leave no row behind.
pub fn account_deleted_while_in_use_leaves_no_row(store: &dyn Store) -> Outcome {
    let (done, next) = (AtomicBool::new(false), AtomicU32::new(1));
    let ada = register(store, "ada@example.com")?;
    let outcome = thread::scope(|scope| {
        let using: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        // After the last number, the thread waits for the end.
                        let Ok(number) = u8::try_from(number) else { continue };
                        if !use_once(store, &ada, number)? {
                            break;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .collect();
        while next.load(Ordering::Relaxed) < 20 {
            thread::yield_now();
        }
        assert!(begin(store, ada.id)?);
        let gone = || Ok::<_, StoreError>(strip(store, ada.id, 7)? == 0 && finish(store, ada.id)?);
        while !gone()? {}
        done.store(true, Ordering::Relaxed);
        using
            .into_iter()
            .try_for_each(|user| user.join().unwrap_or_else(|_| Err(StoreError::Failed("a user panicked".to_owned()))))
    });
    outcome?;
    assert_eq!(rows(store)?, (0, 0));
    assert_eq!(store.read(|tx| tx.users().list_marked_deleted(1))?, []);
    Ok(())
}

/// Logs in and refreshes. Returns whether the account was still usable.
fn use_once(store: &dyn Store, user: &User, number: u8) -> Result<bool, StoreError> {
    let first = Jti::from_random([number; 16]);
    let session = Session::begin(SessionId::for_legacy_token(first), user.id, at(0));
    let token = RefreshToken::new(first, user.id, at(0), TimeDelta::seconds(60)).with_session(session.id);
    let admitted = store.write(|tx| {
        if !tx.credentials().still_current(user.id, &first_credentials())? {
            return Ok(false);
        }
        tx.sessions().begin(&session, &client())?;
        tx.refresh_tokens().insert(&token)?;
        Ok::<_, StoreError>(true)
    })?;
    if admitted {
        let successor = Jti::from_random([number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0]);
        store.rotate(&[rotation(user, first, successor)])?;
        record(store, session.id, 1)?;
    }
    Ok(admitted)
}

fn record(store: &dyn Store, session: SessionId, times: usize) -> Outcome {
    let event = SessionEvent { at: at(1), kind: EventKind::Raced, client: client() };
    store.write(|tx| (0..times).try_for_each(|_| tx.sessions().record(session, &event)))
}

/// Enqueues an email and creates a token to undo a change from a separate address.
fn mail(store: &dyn Store, user: &User, number: u8) -> Outcome {
    let (digest, password) = (TokenDigest::new([number; 32]), PasswordVersion::new([1; 32]));
    let (purpose, user_id, expires_at) = (Purpose::UndoEmailChange, user.id, at(60));
    let email = email(&format!("n{number}@x.org"));
    let record = OneTimeTokenRecord { digest, purpose, user_id, email, password, expires_at };
    let order = NewMail { user_id: Some(user.id), ..order("ada@example.com", 0) };
    store.write(|tx| {
        tx.one_time_tokens().upsert(&record)?;
        tx.outbox().enqueue(&order)
    })
}

fn begin(store: &dyn Store, id: UserId) -> Result<bool, StoreError> {
    store.write(|tx| tx.users().mark_deleted(id, at(3)))
}

fn strip(store: &dyn Store, id: UserId, limit: u32) -> Result<u64, StoreError> {
    store.write(|tx| tx.users().delete_owned_rows(id, limit))
}

fn finish(store: &dyn Store, id: UserId) -> Result<bool, StoreError> {
    Ok(store.write(|tx| tx.users().delete_row_if_empty(id, at(4)))? == Remains::Nothing)
}

/// Counts all tokens and sessions.
fn rows(store: &dyn Store) -> Result<(u64, u64), StoreError> {
    let far = at(1_000_000);
    let tokens = store.read(|tx| tx.refresh_tokens().scan(RowCursor::FIRST, 1000, far))?;
    let all = SessionCutoffs { ended: far, started: far };
    let sessions = store.read(|tx| tx.sessions().scan(RowCursor::FIRST, 1000, &all))?;
    Ok((tokens.map_or(0, |range| range.dead), sessions.map_or(0, |range| range.dead)))
}
