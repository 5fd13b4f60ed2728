//! Conformance of stores: rotations of one call succeed or are refused independently, and those that
//! succeed are committed together.

use super::prelude::*;

/// Number of rounds of a race, since a faulty store may win some by luck.
const ROUNDS: u8 = 5;

pub fn a_rotation_spends_a_token_and_adds_its_successor(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    add_token(store, &user, jti(1))?;
    let rotation = rotation(&user, jti(1), jti(2));
    assert_eq!(store.rotate(std::slice::from_ref(&rotation))?, [true]);
    assert_eq!(store.rotate(std::slice::from_ref(&rotation))?, [false], "it is spent");
    let spent = store.read(|tx| tx.refresh_tokens().find(jti(1)))?;
    assert_eq!(spent.as_ref().map(|found| &found.token.state), Some(&RefreshState::Spent(spend_record(jti(2)))));
    assert_eq!(spent.and_then(|found| found.live_successor), Some(rotation.successor.clone()));
    let successor = store.read(|tx| tx.refresh_tokens().find(jti(2)))?;
    assert_eq!(successor.map(|found| found.token), Some(rotation.successor));
    Ok(())
}

pub fn rotations_without_a_key_and_with_one_keep_to_the_microsecond(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let late = at(9) + TimeDelta::nanoseconds(1);
    for (spent, successor, key) in [(1, 2, None), (3, 4, Some(IdempotencyKeyDigest([9; 32])))] {
        add_token(store, &user, jti(spent))?;
        let rotation = Rotation { at: late, key, ..rotation(&user, jti(spent), jti(successor)) };
        assert_eq!(store.rotate(&[rotation])?, [true]);
        let found = store.read(|tx| tx.refresh_tokens().find(jti(spent)))?;
        let state = RefreshState::Spent(SpendRecord { at: at(9), key, successor: jti(successor) });
        assert_eq!(found.map(|found| found.token.state), Some(state));
    }
    Ok(())
}

pub fn a_rotation_may_ask_for_a_verified_address(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for (user, token) in [(&ada, 1), (&bob, 2), (&ada, 3)] {
        add_token(store, user, jti(token))?;
    }
    store.write(|tx| tx.users().verify_email(ada.id, &ada.email, at(1)))?;
    let of = |user: &User, token| Rotation { verified_only: true, ..rotation(user, jti(token), jti(token + 100)) };
    assert_eq!(store.rotate(&[of(&ada, 1), of(&bob, 2)])?, [true, false]);
    let found = |token| store.read(|tx| tx.refresh_tokens().find(jti(token)));
    assert_eq!(found(2)?.map(|found| (found.token.state, found.account_verified)), Some((RefreshState::Live, false)));
    assert_eq!(found(3)?.map(|found| found.account_verified), Some(true));
    // Other rotations of the call do not require a verified address.
    let mixed = [of(&bob, 2), rotation(&ada, jti(3), jti(103)), rotation(&bob, jti(2), jti(102))];
    assert_eq!(store.rotate(&mixed)?, [false, true, true]);
    Ok(())
}

pub fn no_rotation_is_nothing(store: &dyn Store) -> Outcome {
    assert_eq!(store.rotate(&[])?, Vec::<bool>::new());
    Ok(())
}

pub fn rotations_in_one_call_stand_and_fall_alone(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for token in [1, 2, 3, 4, 5, 6] {
        add_token(store, &ada, jti(token))?;
    }
    add_token(store, &bob, jti(7))?;
    store.write(|tx| tx.refresh_tokens().revoke(jti(2), at(1)))?;
    store.write(|tx| tx.refresh_tokens().spend(jti(3), &spend_record(jti(1))))?;
    let nobody = User { id: UserId::new(bob.id.get() + 1), ..bob.clone() };
    let of = |user: &User, token| rotation(user, jti(token), jti(token + 100));
    let rotations = [
        of(&ada, 1),
        of(&ada, 2),
        of(&ada, 3),
        of(&ada, 99),
        of(&bob, 4),
        of(&nobody, 4),
        Rotation { at: at(60) - SUBSECOND, ..of(&ada, 5) },
        Rotation { at: at(60), ..of(&ada, 6) },
        of(&bob, 7),
    ];
    let expected = [true, false, false, false, false, false, true, false, true];
    assert_eq!(store.rotate(&rotations)?, expected);
    for (rotation, expected) in rotations.iter().zip(expected) {
        let successor = store.read(|tx| tx.refresh_tokens().find(rotation.successor.jti))?;
        assert_eq!(successor.is_some(), expected && rotation.successor.user_id != nobody.id, "{rotation:?}");
    }
    for untouched in [4, 6] {
        assert_eq!(found(store, jti(untouched))?.token.state, RefreshState::Live, "{untouched}");
    }
    Ok(())
}

pub fn one_of_many_rotations_of_a_token_in_one_call_succeeds(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    add_token(store, &user, jti(1))?;
    add_token(store, &user, jti(2))?;
    let rotations: Vec<_> = (10..50).map(|n| rotation(&user, jti(1 + n % 2), jti(n))).collect();
    let rotated = store.rotate(&rotations)?;
    for token in [jti(1), jti(2)] {
        let won = rotations.iter().zip(&rotated).filter(|(rotation, won)| rotation.spent == token && **won);
        let winners: Vec<_> = won.map(|(rotation, _)| rotation.successor.jti).collect();
        assert_eq!(winners.len(), 1);
        let found = store.read(|tx| tx.refresh_tokens().find(token))?;
        assert_eq!(
            found.map(|found| found.token.state),
            winners.first().map(|w| RefreshState::Spent(spend_record(*w)))
        );
    }
    Ok(())
}

pub fn rotation_that_cannot_be_stored_undoes_its_whole_batch(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for token in [1, 2, 3] {
        add_token(store, &user, jti(token))?;
    }
    // The `jti` of the second successor is taken.
    let rotations = [rotation(&user, jti(1), jti(11)), rotation(&user, jti(2), jti(3))];
    assert!(store.rotate(&rotations).is_err());
    for token in [1, 2, 3] {
        assert_eq!(found(store, jti(token))?.token.state, RefreshState::Live, "{token}");
    }
    assert_eq!(store.rotate(&[rotation(&user, jti(1), jti(11))])?, [true], "the store goes on");
    Ok(())
}

pub fn one_of_64_rotations_at_once_wins(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS {
        add_token(store, &user, jti(round))?;
        let successor = |caller: u8| Jti::from_random([255, round, caller, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let rotated = run_concurrently(64, |caller| store.rotate(&[rotation(&user, jti(round), successor(caller))]))?;
        let callers = (0..64).zip(rotated).filter(|(_, rotated)| *rotated == [true]);
        let winners: Vec<_> = callers.map(|(caller, _)| successor(caller)).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let found = store.read(|tx| tx.refresh_tokens().find(jti(round)))?;
        assert_eq!(found.map(|f| f.token.state), winners.first().map(|w| RefreshState::Spent(spend_record(*w))));
    }
    Ok(())
}

pub fn concurrent_batches_of_the_same_tokens_rotate_each_once(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS {
        let tokens: Vec<_> =
            (0..8).map(|n| Jti::from_random([round + 1, n, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])).collect();
        for token in &tokens {
            add_token(store, &user, *token)?;
        }
        let calls = run_concurrently(16, |caller| {
            let rotate = |(n, token): (u8, &Jti)| {
                rotation(&user, *token, Jti::from_random([255, round, caller, n, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]))
            };
            let mut rotations: Vec<_> = (0..8).zip(&tokens).map(rotate).collect();
            rotations.rotate_left(usize::from(caller % 8));
            if caller % 2 == 1 {
                rotations.reverse();
            }
            let rotated = store.rotate(&rotations)?;
            let won = rotations.into_iter().zip(rotated).filter(|(_, rotated)| *rotated);
            Ok(won.map(|(rotation, _)| rotation.spent).collect::<Vec<_>>())
        })?;
        let mut won: Vec<_> = calls.into_iter().flatten().collect();
        won.sort_unstable();
        assert_eq!(won, tokens, "round {round}");
    }
    Ok(())
}

pub fn rotating_and_revoking_exclude_each_other(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..ROUNDS * 4 {
        add_token(store, &user, jti(round))?;
        let won = run_concurrently(2, |caller| match caller {
            0 => Ok(store.rotate(&[rotation(&user, jti(round), jti(round + 100))])? == [true]),
            _ => store.write(|tx| tx.refresh_tokens().revoke(jti(round), at(5))),
        })?;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}");
    }
    Ok(())
}

const SUBSECOND: TimeDelta = TimeDelta::microseconds(905_381);

/// Rotates the first token of a session with the time and key of [`spend_record`].
pub(super) fn rotation(user: &User, spent: Jti, successor: Jti) -> Rotation {
    let SpendRecord { at, key, successor } = spend_record(successor);
    let successor = RefreshToken::new(successor, user.id, at, TimeDelta::seconds(60));
    let successor = successor.with_session(SessionId::for_legacy_token(spent));
    let session_cutoff = SessionPolicy::default().max_age_cutoff(at);
    Rotation { spent, at, key, session_cutoff, verified_only: false, client: client(), successor }
}
