//! Promises about deleting the rows of dead tokens.

use super::samples::{Outcome, add_adopted_token, add_token, at, jti, register, spending};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_ports::{RowNumber, Store, StoreError, StoreExt, Stretch};

pub fn dead_rows_are_counted_and_deleted_and_no_others(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut tokens = Vec::new();
    for number in 1..=6 {
        tokens.push(add_token(store, &user, jti(number))?);
    }
    store.write(|tx| tx.refresh_tokens().revoke(jti(1), at(1)))?;
    store.write(|tx| tx.refresh_tokens().spend(jti(2), &spending(jti(3))))?;
    let expiry = tokens.first().map(|token| token.expires_at).unwrap_or_default();
    let early = survey(store, RowNumber::FIRST, 100, expiry - TimeDelta::microseconds(1))?;
    assert_eq!(early.map(|stretch| stretch.dead), Some(0), "spent and revoked ones are kept");
    assert_eq!(early.map(|stretch| purge(store, &stretch, 100)), Some(Ok(0)));
    let stretch = survey(store, RowNumber::FIRST, 100, expiry)?;
    assert_eq!(stretch.map(|stretch| stretch.dead), Some(6));
    let Some(stretch) = stretch else { return Ok(()) };
    assert_eq!(survey(store, stretch.last, 100, expiry)?, None, "there are no rows beyond the last");
    assert_eq!((purge(store, &stretch, 4)?, purge(store, &stretch, 4)?, purge(store, &stretch, 4)?), (4, 2, 0));
    for number in 1..=6 {
        assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(number)))?, None);
    }
    assert_eq!(survey(store, RowNumber::FIRST, 100, expiry)?, None);
    add_adopted_token(store, &user, jti(1))?;
    Ok(())
}

pub fn a_survey_goes_row_by_row_and_a_purge_stays_in_its_stretch(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut expiry = at(0);
    for number in 1..=5 {
        expiry = add_token(store, &user, jti(number))?.expires_at;
    }
    let (mut after, mut seen, mut last) = (RowNumber::FIRST, 0, None);
    while let Some(stretch) = survey(store, after, 2, expiry)? {
        assert!(stretch.after == after && stretch.last > after && stretch.dead <= 2, "{stretch:?}");
        (after, seen, last) = (stretch.last, seen + stretch.dead, Some(stretch));
    }
    assert_eq!((seen, last.map(|stretch| stretch.dead)), (5, Some(1)));
    assert_eq!(last.map(|stretch| purge(store, &stretch, 100)), Some(Ok(1)), "the youngest alone");
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(5)))?, None);
    assert!(store.read(|tx| tx.refresh_tokens().find(jti(1)))?.is_some());
    Ok(())
}

fn survey(
    store: &dyn Store,
    after: RowNumber,
    limit: u32,
    dead_by: DateTime<Utc>,
) -> Result<Option<Stretch>, StoreError> {
    store.read(|tx| tx.refresh_tokens().survey(after, limit, dead_by))
}

fn purge(store: &dyn Store, stretch: &Stretch, limit: u32) -> Result<u64, StoreError> {
    store.write(|tx| tx.refresh_tokens().purge(stretch, limit))
}
