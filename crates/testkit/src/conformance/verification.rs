//! Conformance of stores: one-time tokens, found by their digest, one per purpose, redeemed once.

use super::prelude::*;

/// Number of rounds of a race, since a faulty store may win some by luck.
const ROUNDS: u8 = 20;

pub fn a_one_time_token_is_found_until_it_is_consumed(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for (number, purpose) in (1..).zip(Purpose::ALL) {
        let expires_at = at(60) + TimeDelta::nanoseconds(999);
        let new =
            OneTimeTokenRecord { expires_at, email: email("Ada@Müller.example"), ..record(&user, purpose, number) };
        replace(store, &new)?;
        let kept = OneTimeTokenRecord { expires_at: at(60), ..new };
        let found = find(store, number)?;
        assert_eq!(found.as_ref(), Some(&kept));
        assert_eq!(found.map(|found| found.email.original().to_owned()).as_deref(), Some("Ada@Müller.example"));
    }
    assert!(consume(store, 1)?);
    assert!(!consume(store, 1)? && !consume(store, 99)?);
    assert_eq!((find(store, 1)?, find(store, 99)?), (None, None));
    assert_eq!(numbers(store)?, [2, 3, 4]);
    let nobodys =
        OneTimeTokenRecord { user_id: UserId::new(user.id.get() + 1), ..record(&user, Purpose::VerifyEmail, 9) };
    assert!(replace(store, &nobodys).is_err(), "there is no such account");
    assert!(
        replace(store, &record(&register(store, "bob@example.com")?, Purpose::VerifyEmail, 2)).is_err(),
        "a digest is a token's own"
    );
    Ok(())
}

pub fn a_newer_one_time_token_takes_the_place_of_the_older(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    replace(store, &record(&bob, Purpose::ResetPassword, 1))?;
    replace(store, &record(&ada, Purpose::VerifyEmail, 2))?;
    replace(store, &record(&ada, Purpose::ResetPassword, 3))?;
    let newer = OneTimeTokenRecord {
        email: email("new@example.com"),
        password: PasswordVersion::new([8; 32]),
        expires_at: at(99),
        ..record(&ada, Purpose::ResetPassword, 4)
    };
    replace(store, &newer)?;
    assert_eq!(numbers(store)?, [1, 2, 4]);
    assert_eq!(find(store, 4)?, Some(newer.clone()), "all of it is the newer one's");
    replace(store, &newer)?;
    assert_eq!(find(store, 4)?, Some(newer), "and may come again");
    Ok(())
}

pub fn undo_tokens_are_distinguished_by_email_in_any_spelling(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let undo = |user: &User, address: &str, number| OneTimeTokenRecord {
        email: email(address),
        ..record(user, Purpose::UndoEmailChange, number)
    };
    for record in [undo(&ada, "one@x.org", 1), undo(&ada, "two@x.org", 2), undo(&bob, "one@x.org", 3)] {
        replace(store, &record)?;
    }
    assert_eq!(numbers(store)?, [1, 2, 3]);
    replace(store, &undo(&ada, "ONE@x.org", 4))?;
    assert_eq!(numbers(store)?, [2, 3, 4]);
    assert_eq!(find(store, 4)?.map(|found| found.email.original().to_owned()).as_deref(), Some("ONE@x.org"));
    Ok(())
}

pub fn a_one_time_token_is_extended_while_it_is_there(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let extend = |number, to: DateTime<Utc>| store.write(|tx| tx.one_time_tokens().extend(digest(number), to));
    replace(store, &record(&user, Purpose::VerifyEmail, 1))?;
    assert!(extend(1, at(500) + TimeDelta::nanoseconds(999))?);
    assert_eq!(find(store, 1)?.map(|found| found.expires_at), Some(at(500)));
    assert!(!extend(2, at(500))?);
    assert!(consume(store, 1)?);
    assert!(!extend(1, at(500))?);
    assert_eq!(numbers(store)?, Vec::<u8>::new());
    Ok(())
}

pub fn what_revokes_one_time_tokens_spares_an_undo(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for (number, purpose) in (1..).zip(Purpose::ALL) {
        replace(store, &record(&ada, purpose, number))?;
        replace(store, &record(&bob, purpose, number + 10))?;
    }
    store.write(|tx| tx.one_time_tokens().revoke_all(ada.id))?;
    assert_eq!(numbers(store)?, [4, 11, 12, 13, 14]);
    assert_eq!(find(store, 4)?.map(|found| found.purpose), Some(Purpose::UndoEmailChange));
    store.write(|tx| tx.one_time_tokens().delete_for_user(bob.id))?;
    assert_eq!(numbers(store)?, [4]);
    Ok(())
}

pub fn an_address_is_held_by_whoever_may_have_it_back(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let holder = |address: &str, seconds| {
        let address = email(address);
        store.read(|tx| tx.one_time_tokens().find_reclaimer(&address, at(seconds)))
    };
    assert_eq!(holder("old@example.com", 0)?, None);
    for (number, purpose) in (1..).zip(Purpose::ALL) {
        replace(store, &OneTimeTokenRecord { email: email("Old@Example.com"), ..record(&ada, purpose, number) })?;
        replace(store, &record(&bob, purpose, number + 10))?;
    }
    for spelling in ["Old@Example.com", "old@example.com", "OLD@EXAMPLE.COM"] {
        assert_eq!(holder(spelling, 0)?, Some(ada.id), "{spelling}");
    }
    assert_eq!((holder("other@example.com", 0)?, holder("", 0)?), (None, None));
    let last = at(60) - TimeDelta::microseconds(1);
    assert_eq!(store.read(|tx| tx.one_time_tokens().find_reclaimer(&email("old@example.com"), last))?, Some(ada.id));
    assert_eq!(holder("old@example.com", 60)?, None, "once it has expired");
    assert!(consume(store, 4)?);
    assert_eq!(holder("old@example.com", 0)?, None, "the other purposes hold nothing");
    Ok(())
}

pub fn expired_one_time_tokens_are_deleted(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for number in 1..=5 {
        let address = email(&format!("n{number}@x.org"));
        let expires_at = at(i64::from(number));
        replace(
            store,
            &OneTimeTokenRecord { email: address, expires_at, ..record(&user, Purpose::UndoEmailChange, number) },
        )?;
    }
    let purge = |cutoff: DateTime<Utc>, limit| store.write(|tx| tx.one_time_tokens().purge(cutoff, limit));
    assert_eq!(purge(at(1) - TimeDelta::microseconds(1), 9)?, 0);
    assert_eq!((purge(at(4), 3)?, purge(at(4), 3)?, purge(at(4), 3)?), (3, 1, 0));
    assert_eq!(numbers(store)?, [5]);
    Ok(())
}

pub fn one_of_64_who_consume_a_token_does(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 1..=5 {
        replace(store, &record(&user, Purpose::ResetPassword, round))?;
        let consumed = run_concurrently(64, |_| consume(store, round))?;
        assert_eq!(consumed.into_iter().filter(|consumed| *consumed).count(), 1, "round {round}");
    }
    Ok(())
}

pub fn of_tokens_that_are_made_at_once_one_is_left(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for _ in 0..5 {
        run_concurrently(32, |caller| replace(store, &record(&user, Purpose::ResetPassword, caller + 1)))?;
        assert_eq!(numbers(store)?.len(), 1);
    }
    Ok(())
}

pub fn consuming_a_token_and_making_a_newer_one_exclude_each_other(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS {
        let (old, new) = (2 * round + 1, 2 * round + 2);
        replace(store, &record(&user, Purpose::ResetPassword, old))?;
        run_concurrently(3, |caller| match caller {
            0 => consume(store, old).map(drop),
            1 => replace(store, &record(&user, Purpose::ResetPassword, new)),
            _ => store.write(|tx| tx.one_time_tokens().extend(digest(old), at(900))).map(drop),
        })?;
        assert_eq!(numbers(store)?, [new], "round {round}");
        assert_eq!(find(store, new)?, Some(record(&user, Purpose::ResetPassword, new)), "round {round}");
    }
    Ok(())
}

pub fn a_token_that_is_made_while_its_forerunner_is_deleted_is_kept(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS {
        let (old, new) = (2 * round + 1, 2 * round + 2);
        replace(store, &OneTimeTokenRecord { expires_at: at(1), ..record(&user, Purpose::ResetPassword, old) })?;
        run_concurrently(2, |caller| match caller {
            0 => store.write(|tx| tx.one_time_tokens().purge(at(1), 9)).map(drop),
            _ => replace(store, &record(&user, Purpose::ResetPassword, new)),
        })?;
        assert_eq!(numbers(store)?, [new], "round {round}");
    }
    Ok(())
}

pub fn what_is_undone_leaves_the_one_time_tokens_as_they_were(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    replace(store, &record(&user, Purpose::ResetPassword, 1))?;
    replace(store, &record(&user, Purpose::VerifyEmail, 2))?;
    let undone: Result<(), _> = store.write(|tx| {
        tx.one_time_tokens().upsert(&record(&user, Purpose::ResetPassword, 3))?;
        assert!(tx.one_time_tokens().extend(digest(3), at(900))?);
        assert!(tx.one_time_tokens().consume(digest(2))?);
        tx.one_time_tokens().delete_for_user(user.id)?;
        Err(StoreError::Busy("on purpose".to_owned()))
    });
    assert!(undone.is_err());
    assert_eq!(numbers(store)?, [1, 2]);
    assert_eq!(find(store, 1)?, Some(record(&user, Purpose::ResetPassword, 1)));
    Ok(())
}

fn digest(number: u8) -> TokenDigest {
    TokenDigest::new([number; 32])
}

/// Creates a token for the account's email address that is valid for 60 s.
fn record(user: &User, purpose: Purpose, number: u8) -> OneTimeTokenRecord {
    let password = PasswordVersion::new([7; 32]);
    let (user_id, email, expires_at) = (user.id, user.email.clone(), at(60));
    OneTimeTokenRecord { digest: digest(number), purpose, user_id, email, password, expires_at }
}

fn replace(store: &dyn Store, record: &OneTimeTokenRecord) -> Outcome {
    store.write(|tx| tx.one_time_tokens().upsert(record))
}

fn consume(store: &dyn Store, number: u8) -> Result<bool, StoreError> {
    store.write(|tx| tx.one_time_tokens().consume(digest(number)))
}

fn find(store: &dyn Store, number: u8) -> Result<Option<OneTimeTokenRecord>, StoreError> {
    store.read(|tx| tx.one_time_tokens().find(digest(number)))
}

/// Lists the tokens that exist.
fn numbers(store: &dyn Store) -> Result<Vec<u8>, StoreError> {
    let there = |number: u8| find(store, number).map(|found| found.map(|_| number)).transpose();
    (1..100).filter_map(there).collect()
}
