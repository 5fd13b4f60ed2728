//! Conformance of stores: transactions.

use super::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub fn a_commit_is_seen_by_whoever_comes_next(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let seen = std::thread::scope(|scope| scope.spawn(|| store.read(|tx| tx.users().find(user.id))).join());
    assert_eq!(seen.ok(), Some(Ok(Some(user))));
    Ok(())
}

pub fn an_error_undoes_all_of_it(store: &dyn Store) -> Outcome {
    let failure = StoreError::Failed("on purpose".to_owned());
    let outcome: Result<(), _> = store.write(|tx| {
        write_everywhere(tx)?;
        Err(failure.clone())
    });
    assert_eq!(outcome, Err(failure));
    assert_untouched(store)
}

pub fn a_rollback_undoes_all_of_it(store: &dyn Store) -> Outcome {
    let outcome = store.transact(TxMode::Write, &mut |tx| {
        write_everywhere(tx)?;
        Ok(TxOutcome::Rollback)
    });
    assert_eq!(outcome, Ok(()));
    assert_untouched(store)
}

pub fn a_panic_undoes_all_of_it_and_the_store_goes_on(store: &dyn Store) -> Outcome {
    for mode in [TxMode::Write, TxMode::Read] {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            store.transact(mode, &mut |tx| {
                if mode == TxMode::Write {
                    write_everywhere(tx)?;
                }
                resume_unwind(Box::new("on purpose"))
            })
        }));
        assert!(outcome.is_err());
    }
    assert_untouched(store)
}

pub fn what_failed_is_not_committed(store: &dyn Store) -> Outcome {
    let outcome = store.transact(TxMode::Write, &mut |tx| {
        write_everywhere(tx)?;
        let again = RefreshToken::new(jti(1), UserId::new(i64::MAX), at(0), TimeDelta::seconds(60));
        assert!(tx.refresh_tokens().insert(&again).is_err());
        Ok(TxOutcome::Commit)
    });
    assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
    assert_untouched(store)
}

pub fn a_reader_sees_no_half_of_a_write(store: &dyn Store) -> Outcome {
    store.write(|tx| {
        write_everywhere(tx)?;
        let seen = store.read(|tx| tx.users().find_by_email(&email("ada@example.com")))?;
        assert_eq!(seen, []);
        Ok::<_, StoreError>(())
    })?;
    assert_eq!(store.read(|tx| tx.users().find_by_email(&email("ada@example.com")))?.len(), 1);
    Ok(())
}

pub fn a_reading_transaction_does_not_write(store: &dyn Store) -> Outcome {
    let outcome = store.read(|tx| tx.users().insert(&newcomer("ada@example.com")));
    assert!(matches!(outcome, Err(StoreError::Failed(_))), "a mistake of the caller, not an outage: {outcome:?}");
    assert_untouched(store)
}

pub fn the_works_own_error_comes_back(store: &dyn Store) -> Outcome {
    for mode in [TxMode::Read, TxMode::Write] {
        let own = StoreError::Busy("the work's own".to_owned());
        assert_eq!(store.transact(mode, &mut |_| Err(own.clone())), Err(own.clone()));
    }
    Ok(())
}

fn write_everywhere(tx: &mut dyn Tx) -> Result<(), StoreError> {
    let user = tx.users().insert(&newcomer("ada@example.com"))?;
    let user = user.ok_or_else(|| StoreError::Failed("taken".to_owned()))?;
    let token =
        portcullis_domain::tokens::RefreshToken::new(jti(1), user.id, user.created_at, chrono::TimeDelta::seconds(60));
    tx.refresh_tokens().insert(&token)?;
    tx.refresh_tokens().spend(jti(1), &spend_record(jti(2)))?;
    Ok(())
}

/// Checks that the store is empty and still works.
fn assert_untouched(store: &dyn Store) -> Outcome {
    assert_eq!(store.read(|tx| tx.users().find_by_email(&email("ada@example.com")))?, []);
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(1)))?, None);
    let user = register(store, "ada@example.com")?;
    add_token(store, &user, jti(1))?;
    Ok(())
}
