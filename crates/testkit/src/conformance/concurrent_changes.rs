//! Conformance of stores: operations that depend on a password or an email address while it changes.

use super::prelude::*;

pub fn many_ask_for_one_account_at_once(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let begun = run_concurrently(8, |caller| begin_under(store, &user, &first_credentials(), caller))?;
    assert_eq!(begun, [true; 8]);
    Ok(())
}

pub fn session_begun_under_a_password_precedes_its_change_or_fails(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let (mut old, keep) = (first_credentials(), KeepSessions::default());
    for round in 0..40 {
        let new = credentials(&format!("$2b$12${round}"));
        let session_end = SessionEnd { at: at(9), reason: EndReason::PasswordChanged, client: client() };
        run_concurrently(2, |caller| match caller {
            0 => begin_under(store, &user, &old, round),
            _ => store.write(|tx| {
                tx.sessions().lock_account(user.id)?;
                let changed = tx.credentials().replace(user.id, &old, &new)?;
                assert!(changed, "nobody else changes it");
                tx.sessions().end_all(user.id, &keep, &session_end).map(|_| true)
            }),
        })?;
        assert_eq!(store.read(|tx| tx.sessions().list(user.id, at(-9), 9))?, [], "round {round}");
        old = new;
    }
    Ok(())
}

pub fn the_origins_of_sessions_are_told_newest_first(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let origins = |limit| store.read(|tx| tx.sessions().recent_clients(user.id, limit));
    assert_eq!(origins(9)?, []);
    for (number, from) in [(1, client()), (2, ClientInfo::default())] {
        let session = Session { started_at: at(i64::from(number)), ..session_of(&user, jti(number)) };
        store.write(|tx| tx.sessions().begin(&session, &from))?;
    }
    let session_end = SessionEnd { at: at(9), reason: EndReason::LogOut, client: client() };
    store.write(|tx| tx.sessions().end_all(user.id, &KeepSessions::default(), &session_end))?;
    assert_eq!(origins(9)?, [ClientInfo::default(), client()], "of those that have ended too");
    assert_eq!(origins(1)?, [ClientInfo::default()]);
    Ok(())
}

pub fn tokens_follow_a_password_that_is_hashed_anew(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let grants = [
        record(&ada, 1, Purpose::VerifyEmail, 1),
        OneTimeTokenRecord { password: version(2), ..record(&ada, 2, Purpose::ResetPassword, 1) },
        record(&bob, 3, Purpose::VerifyEmail, 1),
    ];
    add(store, &grants)?;
    store.write(|tx| tx.one_time_tokens().rebind(ada.id, &version(1), &version(9)))?;
    let [first, second, third] = grants;
    let kept = [OneTimeTokenRecord { password: version(9), ..first }, second, third];
    assert_eq!(left(store)?, kept);
    Ok(())
}

pub fn undo_deletes_every_token_but_those_of_earlier_changes(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let grants = [
        record(&ada, 1, Purpose::UndoEmailChange, 1),
        record(&ada, 2, Purpose::UndoEmailChange, 2),
        record(&ada, 3, Purpose::UndoEmailChange, 3),
        record(&ada, 4, Purpose::ResetPassword, 1),
        record(&bob, 5, Purpose::UndoEmailChange, 3),
    ];
    add(store, &grants)?;
    let [first, second, _, _, last] = grants;
    store.write(|tx| {
        assert!(tx.one_time_tokens().consume(second.digest)?);
        tx.one_time_tokens().delete_superseded(&second)
    })?;
    assert_eq!(left(store)?, [first, last]);
    Ok(())
}

fn begin_under(store: &dyn Store, user: &User, read: &Credentials, number: u8) -> Result<bool, StoreError> {
    store.write(|tx| {
        let admitted = tx.credentials().still_current(user.id, read)?;
        if admitted {
            tx.sessions().begin(&session_of(user, jti(number)), &client())?;
        }
        Ok(admitted)
    })
}

fn version(byte: u8) -> PasswordVersion {
    PasswordVersion::new([byte; 32])
}

/// Creates a token for a separate address under password version 1, valid for `days` days.
fn record(user: &User, number: u8, purpose: Purpose, days: i64) -> OneTimeTokenRecord {
    let (digest, expires_at) = (TokenDigest::new([number; 32]), at(0) + TimeDelta::days(days));
    let email = EmailAddress::from_stored(format!("n{number}@example.com"));
    OneTimeTokenRecord { digest, purpose, user_id: user.id, email, password: version(1), expires_at }
}

fn add(store: &dyn Store, grants: &[OneTimeTokenRecord]) -> Outcome {
    store.write(|tx| grants.iter().try_for_each(|record| tx.one_time_tokens().upsert(record)))
}

/// Returns which of the tokens 1 to 9 exist.
fn left(store: &dyn Store) -> Result<Vec<OneTimeTokenRecord>, StoreError> {
    let find = |number: u8| store.read(|tx| tx.one_time_tokens().find(TokenDigest::new([number; 32]))).transpose();
    (1..10).filter_map(find).collect()
}
