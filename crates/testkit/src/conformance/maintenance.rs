//! Conformance of stores: deleting expired tokens.

use super::prelude::*;

pub fn dead_rows_are_counted_and_deleted_and_no_others(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut tokens = Vec::new();
    for number in 1..=6 {
        tokens.push(add_token(store, &user, jti(number))?);
    }
    store.write(|tx| tx.refresh_tokens().revoke(jti(1), at(1)))?;
    store.write(|tx| tx.refresh_tokens().spend(jti(2), &spend_record(jti(3))))?;
    let expiry = tokens.first().map(|token| token.expires_at).unwrap_or_default();
    let early = survey(store, RowCursor::FIRST, 100, expiry - TimeDelta::microseconds(1))?;
    assert_eq!(early.map(|range| range.dead), Some(0), "spent and revoked ones are kept");
    assert_eq!(early.map(|range| purge(store, &range, 100)), Some(Ok(0)));
    let range = survey(store, RowCursor::FIRST, 100, expiry)?;
    assert_eq!(range.map(|range| range.dead), Some(6));
    let Some(range) = range else { return Ok(()) };
    assert_eq!(survey(store, range.last, 100, expiry)?, None, "there are no rows beyond the last");
    assert_eq!((purge(store, &range, 4)?, purge(store, &range, 4)?, purge(store, &range, 4)?), (4, 2, 0));
    for number in 1..=6 {
        assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(number)))?, None);
    }
    assert_eq!(survey(store, RowCursor::FIRST, 100, expiry)?, None);
    add_adopted_token(store, &user, jti(1))?;
    Ok(())
}

pub fn a_survey_goes_row_by_row_and_a_purge_stays_in_its_stretch(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut expiry = at(0);
    for number in 1..=5 {
        expiry = add_token(store, &user, jti(number))?.expires_at;
    }
    let (mut after, mut seen, mut last) = (RowCursor::FIRST, 0, None);
    while let Some(range) = survey(store, after, 2, expiry)? {
        assert!(range.after == after && range.last > after && range.dead <= 2, "{range:?}");
        (after, seen, last) = (range.last, seen + range.dead, Some(range));
    }
    assert_eq!((seen, last.map(|range| range.dead)), (5, Some(1)));
    assert_eq!(last.map(|range| purge(store, &range, 100)), Some(Ok(1)), "the youngest alone");
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti(5)))?, None);
    assert!(store.read(|tx| tx.refresh_tokens().find(jti(1)))?.is_some());
    Ok(())
}

fn survey(
    store: &dyn Store,
    after: RowCursor,
    limit: u32,
    cutoff: DateTime<Utc>,
) -> Result<Option<RowRange>, StoreError> {
    store.read(|tx| tx.refresh_tokens().scan(after, limit, cutoff))
}

fn purge(store: &dyn Store, range: &RowRange, limit: u32) -> Result<u64, StoreError> {
    store.write(|tx| tx.refresh_tokens().purge(range, limit))
}
