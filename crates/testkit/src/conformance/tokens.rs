//! Conformance of stores: refresh tokens.

use super::prelude::*;

pub fn a_new_token_is_live(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let token = add_token(store, &user, jti(1))?;
    let found = store.read(|tx| tx.refresh_tokens().find(jti(1)))?;
    let session = Some(session_of(&user, jti(1)));
    let (account_active, account_verified, live_successor, spent_age) = (true, false, None, None);
    assert_eq!(found, Some(FoundToken { token, account_active, account_verified, live_successor, spent_age, session }));
    Ok(())
}

pub fn a_token_is_spent_once(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let first = add_token(store, &user, jti(1))?;
    assert!(spend(store, 1, 2)?);
    assert!(!spend(store, 1, 3)?);
    assert_eq!(found(store, jti(1))?.live_successor, None, "the successor is not there yet");
    let live_successor = Some(add_to(store, &first, jti(2))?);
    let token = RefreshToken { state: RefreshState::Spent(spend_record(jti(2))), ..first };
    let session = Some(session_of(&user, jti(1)));
    let (account_active, account_verified, spent_age) = (true, false, found(store, jti(1))?.spent_age);
    assert!(spent_age.is_none_or(|age| age.abs() < TimeDelta::minutes(1)), "by a clock of its own: {spent_age:?}");
    let spent = FoundToken { spent_age, ..found(store, jti(1))? };
    assert_eq!(spent, FoundToken { token, account_active, account_verified, live_successor, spent_age, session });
    assert!(spend(store, 2, 3)?);
    assert_eq!(found(store, jti(1))?.live_successor, None, "the successor was spent");
    Ok(())
}

pub fn an_expired_token_is_not_spent(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let token = add_token(store, &user, jti(1))?;
    let spend_at = |at| {
        let spend_record = SpendRecord { at, ..spend_record(jti(2)) };
        store.write(|tx| tx.refresh_tokens().spend(jti(1), &spend_record))
    };
    assert!(!spend_at(token.expires_at + TimeDelta::days(365))?);
    assert!(!spend_at(token.expires_at)?);
    assert_eq!(found(store, jti(1))?.token.state, RefreshState::Live);
    assert!(spend_at(token.expires_at - TimeDelta::microseconds(1))?);
    Ok(())
}

pub fn a_revoked_token_is_not_spent(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let token = add_token(store, &user, jti(1))?;
    assert!(revoke(store, 1)?);
    assert!(!revoke(store, 1)?, "it already is");
    assert!(!spend(store, 1, 2)?);
    let token = RefreshToken { state: RefreshState::Revoked, ..token };
    let session = Some(session_of(&user, jti(1)));
    let (account_active, account_verified, live_successor, spent_age) = (true, false, None, None);
    assert_eq!(
        found(store, jti(1))?,
        FoundToken { token, account_active, account_verified, live_successor, spent_age, session }
    );
    Ok(())
}

pub fn revoking_forgets_no_spending(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    add_token(store, &user, jti(1))?;
    assert!(spend(store, 1, 2)?);
    assert!(!revoke(store, 1)?);
    assert_eq!(found(store, jti(1))?.token.state, RefreshState::Spent(spend_record(jti(2))));
    add_token(store, &user, jti(2))?;
    assert!(revoke(store, 2)?);
    assert_eq!(found(store, jti(1))?.live_successor, None, "the successor was revoked");
    Ok(())
}

pub fn what_is_not_there_is_neither_spent_nor_revoked(store: &dyn Store) -> Outcome {
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(1)))?, None);
    assert!(!spend(store, 1, 2)?);
    assert!(!revoke(store, 1)?);
    Ok(())
}

pub fn only_a_live_token_of_an_account_is_added_and_once(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let token = add_token(store, &user, jti(1))?;
    let stranger = RefreshToken { jti: jti(2), user_id: UserId::new(user.id.get() + 1), ..token.clone() };
    let revoked = RefreshToken { jti: jti(3), ..token.revoke() };
    for refused in [token, stranger, revoked] {
        let outcome = store.write(|tx| tx.refresh_tokens().insert(&refused));
        assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?} for {refused:?}");
    }
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(2)))?, None);
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(3)))?, None);
    Ok(())
}

pub fn times_of_a_token_hold_to_the_microsecond(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let nanosecond = TimeDelta::nanoseconds(1);
    let long = DateTime::UNIX_EPOCH + TimeDelta::days(365 * 8_000);
    let token = RefreshToken { expires_at: long + nanosecond, ..add_token(store, &user, jti(1))? };
    let token = RefreshToken { jti: jti(2), created_at: at(1) + nanosecond, ..token };
    let late = SpendRecord { at: at(9) + nanosecond, key: None, successor: jti(1) };
    store.write(|tx| {
        tx.refresh_tokens().insert(&token)?;
        tx.refresh_tokens().spend(jti(2), &late)
    })?;
    let state = RefreshState::Spent(SpendRecord { at: at(9), ..late });
    let kept = RefreshToken { created_at: at(1), expires_at: long, state, ..token };
    assert_eq!(found(store, jti(2))?.token, kept);
    Ok(())
}

fn spend(store: &dyn Store, token: u8, successor: u8) -> Result<bool, StoreError> {
    store.write(|tx| tx.refresh_tokens().spend(jti(token), &spend_record(jti(successor))))
}

fn revoke(store: &dyn Store, token: u8) -> Result<bool, StoreError> {
    store.write(|tx| tx.refresh_tokens().revoke(jti(token), at(5)))
}
