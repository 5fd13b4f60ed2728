//! Conformance of stores: an account's email address is verified once, changes only if it is still the
//! one that was read, and is never shared by two accounts.

use super::prelude::*;

/// Number of rounds of a race, since a faulty store may win some by luck.
const ROUNDS: u8 = 20;

pub fn an_address_is_verified_once_and_as_it_is_spelled(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let verify = |id, address: &str, seconds| {
        let (address, at) = (email(address), at(seconds) + TimeDelta::nanoseconds(999));
        store.write(|tx| tx.users().verify_email(id, &address, at))
    };
    assert!(!verify(user.id, "other@example.com", 1)?);
    assert!(!verify(user.id, "Ada@example.com", 1)?, "another spelling may be another's");
    assert!(!verify(UserId::new(user.id.get() + 1), "ada@example.com", 1)?);
    assert_eq!(found(store, user.id)?, Some(user.clone()));
    assert!(verify(user.id, "ada@example.com", 2)?);
    assert!(!verify(user.id, "ada@example.com", 3)?, "it already is");
    assert_eq!(found(store, user.id)?, Some(User { email_verified_at: Some(at(2)), ..user }));
    Ok(())
}

pub fn an_address_is_changed_if_it_is_the_one_that_was_read(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    assert_eq!(change(store, ada.id, "other@example.com", "new@example.com")?, EmailChange::Outdated);
    assert_eq!(change(store, ada.id, "Ada@example.com", "new@example.com")?, EmailChange::Outdated);
    let nobody = UserId::new(bob.id.get() + 1);
    assert_eq!(change(store, nobody, "ada@example.com", "new@example.com")?, EmailChange::Outdated);
    for taken in ["bob@example.com", "BOB@example.com"] {
        assert_eq!(change(store, ada.id, "ada@example.com", taken)?, EmailChange::Taken);
    }
    assert_eq!((found(store, ada.id)?, found(store, bob.id)?), (Some(ada.clone()), Some(bob)));
    assert_eq!(change(store, ada.id, "ada@example.com", "New@Example.com")?, EmailChange::Changed);
    let moved = found(store, ada.id)?;
    assert_eq!(moved.as_ref().map(|user| user.email.original()), Some("new@example.com"), "in its canonical form");
    assert_eq!(moved.as_ref().and_then(|user| user.email_verified_at), Some(at(9)));
    assert_eq!(store.read(|tx| tx.users().find_by_email(&email("NEW@example.com")))?, Vec::from_iter(moved));
    assert_eq!(store.read(|tx| tx.users().find_by_email(&email("ada@example.com")))?, []);
    assert_eq!(store.write(|tx| tx.users().insert(&newcomer("new@EXAMPLE.com")))?, None, "it is taken");
    assert_eq!(change(store, ada.id, "new@example.com", "NEW@example.com")?, EmailChange::Changed, "one's own");
    register(store, "ada@example.com").map(drop)
}

/// A refused change does not abort its transaction: later writes are kept.
pub fn one_of_those_who_want_an_address_at_once_gets_it(store: &dyn Store) -> Outcome {
    let mut movers = Vec::new();
    for number in 0..4 {
        movers.push(register(store, &format!("n{number}@example.com"))?);
    }
    for round in 0..ROUNDS {
        let spelling = |caller: u8| match caller % 2 {
            0 => format!("round{round}@example.com"),
            _ => format!("Round{round}@EXAMPLE.com"),
        };
        let got = run_concurrently(8, |caller| {
            let mover = movers.get(usize::from(caller)).map(|user| user.id);
            store.write(|tx| {
                let got = match mover {
                    Some(id) => moves(tx, id, &spelling(caller))?,
                    None => tx.users().insert(&newcomer(&spelling(caller)))?.is_some(),
                };
                tx.outbox().enqueue(&order("ada@example.com", 0))?;
                Ok::<_, StoreError>(got)
            })
        })?;
        assert_eq!(got.into_iter().filter(|got| *got).count(), 1, "round {round}");
        assert_eq!(store.read(|tx| tx.users().find_by_email(&email(&spelling(0))))?.len(), 1, "round {round}");
        assert_eq!(store.read(|tx| tx.outbox().count(999))?.waiting, 8 * (u64::from(round) + 1));
    }
    Ok(())
}

pub fn one_of_many_changes_of_an_address_succeeds(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let changes =
        run_concurrently(16, |caller| change(store, user.id, "ada@example.com", &format!("n{caller}@x.org")))?;
    let won = changes.iter().filter(|change| **change == EmailChange::Changed).count();
    let lost = changes.iter().filter(|change| **change == EmailChange::Outdated).count();
    assert_eq!((won, lost), (1, 15), "{changes:?}");
    Ok(())
}

/// Changes the email address of an account. Returns whether it changed.
fn moves(tx: &mut dyn Tx, id: UserId, new: &str) -> Result<bool, StoreError> {
    let Some(user) = tx.users().find(id)? else { return Ok(false) };
    Ok(tx.users().change_email(id, &user.email, &email(new), at(9))? == EmailChange::Changed)
}

fn change(store: &dyn Store, id: UserId, read: &str, new: &str) -> Result<EmailChange, StoreError> {
    let (read, new) = (email(read), email(new));
    store.write(|tx| tx.users().change_email(id, &read, &new, at(9) + TimeDelta::nanoseconds(999)))
}

fn found(store: &dyn Store, id: UserId) -> Result<Option<User>, StoreError> {
    store.read(|tx| tx.users().find(id))
}
