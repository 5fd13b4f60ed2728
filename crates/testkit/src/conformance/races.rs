//! Conformance of stores: exactly one of several concurrent callers succeeds.

use super::prelude::*;
use std::sync::Barrier;

/// Number of rounds of a race, since a faulty store may win some by luck.
const ROUNDS: u8 = 5;

pub fn one_of_64_spenders_wins(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS {
        add_token(store, &user, jti(round))?;
        let successor = |caller: u8| Jti::from_random([255, round, caller, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let outcomes = run_concurrently(64, |caller| {
            store.write(|tx| {
                let new = successor(caller);
                let won = tx.refresh_tokens().spend(jti(round), &spend_record(new))?;
                if won {
                    let token = RefreshToken::new(new, user.id, at(0), TimeDelta::seconds(60));
                    tx.refresh_tokens().insert(&token)?;
                }
                Ok::<_, StoreError>(won.then_some(new))
            })
        })?;
        let winners: Vec<_> = outcomes.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let found = store.read(|tx| tx.refresh_tokens().find(jti(round)))?;
        let state = found.as_ref().map(|found| found.token.state.clone());
        assert_eq!(state, winners.first().map(|winner| RefreshState::Spent(spend_record(*winner))));
        assert!(found.is_some_and(|found| found.live_successor.is_some()));
    }
    Ok(())
}

pub fn one_of_50_registrations_wins(store: &dyn Store) -> Outcome {
    for round in 0..ROUNDS {
        let spelling = |caller: u8| {
            if caller.is_multiple_of(2) { format!("Ada{round}@EXAMPLE.com") } else { format!("ada{round}@example.com") }
        };
        let outcomes =
            run_concurrently(50, |caller| store.write(|tx| tx.users().insert(&newcomer(&spelling(caller)))))?;
        let winners: Vec<_> = outcomes.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(store.read(|tx| tx.users().find_by_email(&email(&spelling(0))))?, winners);
    }
    Ok(())
}

pub fn spending_and_revoking_exclude_each_other(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS * 4 {
        add_token(store, &user, jti(round))?;
        let won = run_concurrently(2, |caller| {
            store.write(|tx| match caller {
                0 => tx.refresh_tokens().spend(jti(round), &spend_record(jti(0))),
                _ => tx.refresh_tokens().revoke(jti(round), at(5)),
            })
        })?;
        let found = store.read(|tx| tx.refresh_tokens().find(jti(round)))?;
        let expected =
            if won.first() == Some(&true) { RefreshState::Spent(spend_record(jti(0))) } else { RefreshState::Revoked };
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}");
        assert_eq!(found.map(|found| found.token.state), Some(expected));
    }
    Ok(())
}

pub fn one_of_many_new_hashes_wins(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let won = run_concurrently(16, |caller| {
        let new = credentials(&format!("new {caller}"));
        store.write(|tx| tx.credentials().replace(user.id, &first_credentials(), &new))
    })?;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    Ok(())
}

/// Runs a call on several threads that start at the same moment. Returns the results in order.
pub(super) fn run_concurrently<T: Send>(
    threads: u8,
    call: impl Fn(u8) -> Result<T, StoreError> + Sync,
) -> Result<Vec<T>, StoreError> {
    let barrier = Barrier::new(usize::from(threads));
    let (barrier, call) = (&barrier, &call);
    std::thread::scope(|scope| {
        let start = |caller| {
            scope.spawn(move || {
                barrier.wait();
                call(caller)
            })
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        let ended = running.into_iter().map(|thread| thread.join());
        ended.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
