//! Conformance of stores: sessions, how they end, and their events.

use super::prelude::*;

pub fn a_session_is_kept_until_it_is_ended(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let id = begin(store, &user, jti(1))?;
    assert_eq!(find(store, id)?, Some(session_of(&user, jti(1))));
    assert_eq!(find(store, SessionId::for_legacy_token(jti(2)))?, None);
    assert!(begin(store, &user, jti(1)).is_err(), "an identifier is a session's own");
    let stranger = Session { user_id: UserId::new(user.id.get() + 1), ..session_of(&user, jti(3)) };
    assert!(store.write(|tx| tx.sessions().begin(&stranger, &ClientInfo::default())).is_err());
    assert!(end(store, id, 5)?);
    let late = session_end(5).at - TimeDelta::nanoseconds(7);
    assert_eq!(find(store, id)?.and_then(|session| session.ended_at), Some(late));
    Ok(())
}

pub fn authentication_of_a_session_is_kept_and_replaced_until_it_ends(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let password = Authentication::new(Method::Password.into(), session_end(1).at);
    let session = session_of(&user, jti(1)).with_authentication(password);
    store.write(|tx| tx.sessions().begin(&session, &ClientInfo::default()))?;
    assert_eq!(find(store, session.id)?.and_then(|found| found.authentication), Some(password));
    let both = Authentication::new(password.methods.with(Method::OneTimeCode), session_end(2).at);
    let reauthenticate = |by| store.write(|tx| tx.sessions().reauthenticate(session.id, by));
    assert!(reauthenticate(&both)?);
    assert_eq!(find(store, session.id)?.and_then(|found| found.authentication), Some(both));
    assert!(end(store, session.id, 5)? && !reauthenticate(&password)?, "the session has ended");
    assert_eq!(find(store, session.id)?.and_then(|found| found.authentication), Some(both));
    Ok(())
}

pub fn a_token_belongs_to_its_session(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let token = add_token(store, &user, jti(1))?;
    assert_eq!(found(store, jti(1))?.session.map(|session| Some(session.id)), Some(token.session_id));
    let nowhere = Some(SessionId::for_legacy_token(jti(9)));
    let homeless = RefreshToken { jti: jti(2), session_id: nowhere, ..token };
    assert!(store.write(|tx| tx.refresh_tokens().insert(&homeless)).is_err());
    Ok(())
}

pub fn token_without_session_belongs_to_the_session_of_its_jti(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    add_adopted_token(store, &user, jti(1))?;
    let unbegun = found(store, jti(1))?;
    assert_eq!((unbegun.session, unbegun.token.session_id), (None, None));
    assert_eq!(store.rotate(&[rotation(&user, jti(1), jti(2))])?, [false], "nobody began its session");
    let id = begin(store, &user, jti(1))?;
    let begun = found(store, jti(1))?;
    assert_eq!((begun.session, begun.token.session_id), (Some(session_of(&user, jti(1))), Some(id)));
    assert!(end(store, id, 5)?);
    assert_eq!(found(store, jti(1))?.token.state, RefreshState::Revoked);
    Ok(())
}

pub fn rotation_is_refused_if_session_is_foreign_ended_or_too_old(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let mut tokens = Vec::new();
    for token in [1, 2, 3, 4] {
        tokens.push(add_token(store, &user, jti(token))?);
    }
    assert!(end(store, SessionId::for_legacy_token(jti(2)), 1)?);
    // As left by a rotation that ran concurrently with the end.
    for token in tokens.iter().filter(|token| token.jti == jti(2)) {
        add_to(store, token, jti(12))?;
    }
    let mut of_ended = rotation(&user, jti(12), jti(112));
    of_ended.successor = of_ended.successor.with_session(SessionId::for_legacy_token(jti(2)));
    assert_eq!(store.rotate(&[of_ended])?, [false], "its session has ended");
    let bob = register(store, "bob@example.com")?;
    let bobs = begin(store, &bob, jti(50))?;
    let strangers = add_adopted_token(store, &bob, jti(51))?;
    let stray = RefreshToken { jti: jti(52), user_id: user.id, ..strangers }.with_session(bobs);
    store.write(|tx| tx.refresh_tokens().insert(&stray))?;
    let mut of_bobs = rotation(&user, jti(52), jti(152));
    of_bobs.successor = of_bobs.successor.with_session(bobs);
    assert_eq!(store.rotate(&[of_bobs])?, [false], "its session is somebody else's");
    let of = |token| rotation(&user, jti(token), jti(token + 100));
    let mut elsewhere = of(1);
    elsewhere.successor = elsewhere.successor.with_session(SessionId::for_legacy_token(jti(3)));
    let mut nowhere = of(1);
    nowhere.successor.session_id = None;
    let too_old = Rotation { session_cutoff: at(0), ..of(3) };
    let just_not = Rotation { session_cutoff: at(0) - TimeDelta::microseconds(1), ..of(4) };
    assert_eq!(store.rotate(&[elsewhere, nowhere, of(2), too_old, just_not])?, [false, false, false, false, true]);
    for untouched in [1, 3] {
        assert_eq!(found(store, jti(untouched))?.token.state, RefreshState::Live);
    }
    Ok(())
}

pub fn an_end_counts_once_and_revokes_the_live_token(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let id = add_token(store, &user, jti(1))?.session_id.unwrap_or_else(|| SessionId::for_legacy_token(jti(1)));
    add_token(store, &user, jti(3))?;
    assert_eq!(store.rotate(&[rotation(&user, jti(1), jti(2))])?, [true]);
    assert!(end(store, id, 7)?);
    assert!(!end(store, id, 8)?, "it already is");
    assert!(!end(store, SessionId::for_legacy_token(jti(9)), 8)?, "there is none");
    assert_eq!(found(store, jti(1))?.token.state, RefreshState::Spent(spend_record(jti(2))));
    assert_eq!(found(store, jti(2))?.token.state, RefreshState::Revoked);
    assert_eq!(found(store, jti(3))?.token.state, RefreshState::Live, "of another session");
    assert_eq!(kinds(store, id)?, [EventKind::Revoked, EventKind::Rotated]);
    Ok(())
}

pub fn all_sessions_end_but_the_one_that_is_spared(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    for token in [1, 2, 3] {
        add_token(store, &ada, jti(token))?;
    }
    add_token(store, &bob, jti(4))?;
    add_adopted_token(store, &ada, jti(5))?;
    let keep = KeepSessions::from(Some(SessionId::for_legacy_token(jti(2))));
    assert_eq!(store.write(|tx| tx.sessions().end_all(ada.id, &keep, &session_end(9)))?, 3);
    assert_eq!(store.write(|tx| tx.sessions().end_all(ada.id, &keep, &session_end(9)))?, 0);
    let live = [1, 2, 3, 4, 5].map(|token| found(store, jti(token)).map(|found| found.token.state));
    let live: Result<Vec<_>, _> =
        live.into_iter().map(|state| state.map(|state| state == RefreshState::Live)).collect();
    assert_eq!(live?, [false, true, false, true, false]);
    assert_eq!(kinds(store, SessionId::for_legacy_token(jti(1)))?, [EventKind::Revoked]);
    assert_eq!(store.write(|tx| tx.sessions().end_all(ada.id, &KeepSessions::default(), &session_end(9)))?, 1);
    Ok(())
}

pub fn all_sessions_end_but_those_of_the_device_that_is_spared(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let (own, other) = (Some(DeviceHash::new([1; 32])), Some(DeviceHash::new([2; 32])));
    for (user, number, device) in
        [(&ada, 1, own), (&ada, 2, other), (&ada, 3, None), (&ada, 4, own), (&ada, 5, None), (&bob, 6, other)]
    {
        let session = session_of(user, jti(number)).with_device(device);
        let token = RefreshToken::new(jti(number), user.id, at(0), TimeDelta::seconds(60)).with_session(session.id);
        store.write(|tx| {
            tx.sessions().begin(&session, &client())?;
            tx.refresh_tokens().insert(&token)
        })?;
        assert_eq!(find(store, session.id)?, Some(session.clone()));
        assert_eq!(found(store, jti(number))?.session, Some(session));
    }
    add_adopted_token(store, &ada, jti(7))?;
    let live = || -> Result<Vec<_>, StoreError> {
        let live = |number: &u8| found(store, jti(*number)).is_ok_and(|found| found.token.state == RefreshState::Live);
        let open = |number: &u8| {
            find(store, SessionId::for_legacy_token(jti(*number)))
                .is_ok_and(|found| found.is_some_and(|s| s.ended_at.is_none()))
        };
        Ok((1..=7).map(|number| (live(&number), open(&number))).collect())
    };
    let end_all = |session: Option<u8>, device| {
        let keep = KeepSessions { session: session.map(|number| SessionId::for_legacy_token(jti(number))), device };
        store.write(|tx| tx.sessions().end_all(ada.id, &keep, &session_end(9)))
    };
    let (on, off) = ((true, true), (false, false));
    assert_eq!(end_all(Some(5), own)?, 3, "two sessions, and the token of none");
    assert_eq!(live()?, [on, off, off, on, on, on, off]);
    assert_eq!(end_all(Some(6), own)?, 1, "another's session spares nothing");
    assert_eq!(live()?, [on, off, off, on, off, on, off]);
    assert_eq!(end_all(None, None)?, 2);
    assert_eq!(live()?, [off, off, off, off, off, on, off]);
    Ok(())
}

pub fn sessions_are_listed_newest_first_with_their_last_use(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for (number, seconds) in [(1, 20), (2, 10), (3, 30), (4, 40)] {
        let session = Session { started_at: at(seconds), ..session_of(&user, jti(number)) };
        store.write(|tx| tx.sessions().begin(&session, &client()))?;
    }
    end(store, SessionId::for_legacy_token(jti(4)), 50)?;
    let id = |number| SessionId::for_legacy_token(jti(number));
    record(store, id(2), EventKind::Rotated, 70)?;
    record(store, id(2), EventKind::Raced, 80)?;
    let list = |after: i64, limit: u32| -> Result<Vec<(SessionId, DateTime<Utc>)>, StoreError> {
        let listed = store.read(|tx| tx.sessions().list(user.id, at(after), limit))?;
        assert!(listed.iter().all(|listed| listed.client == client()), "{listed:?}");
        Ok(listed.into_iter().map(|ListedSession { session, last_used_at, .. }| (session.id, last_used_at)).collect())
    };
    assert_eq!(list(0, 9)?, [(id(3), at(30)), (id(1), at(20)), (id(2), at(70))], "a refusal is no use");
    assert_eq!(list(10, 9)?, [(id(3), at(30)), (id(1), at(20))], "what is too old is left out");
    assert_eq!(list(0, 1)?, [(id(3), at(30))]);
    assert_eq!(store.read(|tx| tx.sessions().list(UserId::new(user.id.get() + 1), at(0), 9))?, []);
    Ok(())
}

pub fn least_recently_used_session_is_first_despite_clock_skew(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for number in 1..=6 {
        let session = Session { started_at: at(if number == 6 { 0 } else { 10 }), ..session_of(&user, jti(number)) };
        store.write(|tx| tx.sessions().begin(&session, &client()))?;
    }
    begin(store, &register(store, "bob@example.com")?, jti(7))?;
    let id = |number| SessionId::for_legacy_token(jti(number));
    for (number, kind, seconds) in [
        (1, EventKind::LogIn, 90),
        (2, EventKind::LogIn, 80),
        (3, EventKind::LogIn, 70),
        (4, EventKind::LogIn, 60),
        (2, EventKind::Rotated, 50),
        (1, EventKind::Raced, 95),
    ] {
        record(store, id(number), kind, seconds)?;
    }
    end(store, id(3), 96)?;
    let first = |limit| store.read(|tx| tx.sessions().least_recently_used(user.id, at(0), limit));
    assert_eq!(first(9)?, [5, 1, 4, 2].map(id), "neither ended nor too old");
    assert_eq!(first(2)?, [5, 1].map(id));
    let count = |limit| store.read(|tx| tx.sessions().count(user.id, at(0), limit));
    assert_eq!([count(3)?, count(4)?, count(9)?], [3, 4, 4]);
    Ok(())
}

pub fn a_timeline_is_told_newest_first(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let id = begin(store, &user, jti(1))?;
    let bare = SessionEvent { at: at(1), kind: EventKind::LogIn, client: ClientInfo::default() };
    store.write(|tx| tx.sessions().record(id, &bare))?;
    record(store, id, EventKind::Rotated, 2)?;
    let other = begin(store, &user, jti(2))?;
    record(store, other, EventKind::LogIn, 3)?;
    let rotated = SessionEvent { at: at(2), kind: EventKind::Rotated, client: client() };
    let events = |limit| store.read(|tx| tx.sessions().events(id, limit));
    assert_eq!(events(9)?, [rotated.clone(), bare]);
    assert_eq!(events(1)?, [rotated]);
    let nobody = SessionId::for_legacy_token(jti(9));
    record(store, nobody, EventKind::Raced, 3)?;
    assert_eq!(store.read(|tx| tx.sessions().events(nobody, 9))?, []);
    Ok(())
}

pub fn what_can_be_repeated_fills_no_timeline(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let id = begin(store, &user, jti(1))?;
    for kind in [EventKind::Ended, EventKind::Rotated] {
        store.write(|tx| {
            let event = SessionEvent { at: at(1), kind, client: client() };
            (0..EventKind::MAX_EVENTS_PER_KIND + 5).try_for_each(|_| tx.sessions().record(id, &event))
        })?;
    }
    record(store, id, EventKind::Raced, 2)?;
    let kinds = kinds(store, id)?;
    let count = |kind| kinds.iter().filter(|known| **known == kind).count();
    assert_eq!(count(EventKind::Ended), EventKind::MAX_EVENTS_PER_KIND);
    assert_eq!((count(EventKind::Rotated), count(EventKind::Raced)), (EventKind::MAX_EVENTS_PER_KIND + 5, 1));
    Ok(())
}

pub fn bearers_are_found_together(store: &dyn Store) -> Outcome {
    let (ada, bob) = (register(store, "ada@example.com")?, register(store, "bob@example.com")?);
    let (first, second) = (begin(store, &ada, jti(1))?, begin(store, &ada, jti(2))?);
    end(store, second, 5)?;
    let key = |user: &User, session_id| BearerIdentity { user_id: user.id, session_id };
    let nobody = User { id: UserId::new(bob.id.get() + 1), ..bob.clone() };
    let keys = [
        key(&ada, Some(second)),
        key(&bob, Some(first)),
        key(&nobody, Some(first)),
        key(&ada, None),
        key(&ada, Some(first)),
        key(&ada, Some(SessionId::for_legacy_token(jti(9)))),
    ];
    let told = |keys: &[BearerIdentity]| -> Result<Vec<_>, StoreError> {
        let found = store.read(|tx| tx.sessions().resolve_bearers(keys))?;
        let known = [&ada, &bob];
        assert!(found.iter().flatten().all(|found| known.contains(&&found.user)), "{found:?}");
        let told = found.into_iter().map(|found| found.map(|found| (found.user.id, found.session.map(|s| s.id))));
        Ok(told.collect())
    };
    let expected = [
        Some((ada.id, Some(second))),
        Some((bob.id, None)),
        None,
        Some((ada.id, None)),
        Some((ada.id, Some(first))),
        Some((ada.id, None)),
    ];
    assert_eq!(told(&keys)?, expected);
    for (key, expected) in keys.iter().zip(expected) {
        assert_eq!(told(&[*key])?, [expected], "alone");
    }
    assert_eq!(told(&[])?, []);
    Ok(())
}

pub fn dead_sessions_are_deleted_with_their_timelines(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for (number, seconds) in [(1, 0), (2, 100), (3, 100), (4, 100)] {
        let session = Session { started_at: at(seconds), ..session_of(&user, jti(number)) };
        store.write(|tx| tx.sessions().begin(&session, &client()))?;
        record(store, session.id, EventKind::LogIn, seconds)?;
    }
    let id = |number| SessionId::for_legacy_token(jti(number));
    end(store, id(3), 110)?;
    end(store, id(4), 120)?;
    let dead = SessionCutoffs { ended: session_end(110).at, started: at(0) };
    let survey = |after, limit| store.read(|tx| tx.sessions().scan(after, limit, &dead));
    let range = survey(RowCursor::FIRST, 9)?;
    assert_eq!(range.map(|range| range.dead), Some(2));
    let Some(range) = range else { return Ok(()) };
    assert_eq!(survey(range.last, 9)?, None);
    let purge = |limit| store.write(|tx| tx.sessions().purge(&range, &dead, limit));
    // Three events and two sessions, in batches of two.
    assert_eq!((purge(2)?, purge(2)?, purge(2)?, purge(2)?), (2, 2, 1, 0));
    let left = [1, 2, 3, 4].map(|number| find(store, id(number)).map(|session| session.is_some()));
    assert_eq!(left, [Ok(false), Ok(true), Ok(false), Ok(true)]);
    assert_eq!(store.read(|tx| tx.sessions().events(id(1), 9))?, []);
    assert_eq!(kinds(store, id(4))?, [EventKind::Revoked, EventKind::LogIn]);
    Ok(())
}

pub fn of_many_who_end_a_session_one_does(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    let id = add_token(store, &user, jti(1))?.session_id.unwrap_or_else(|| SessionId::for_legacy_token(jti(1)));
    let ended = run_concurrently(16, |_| end(store, id, 5))?;
    assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
    assert_eq!(kinds(store, id)?, [EventKind::Revoked]);
    Ok(())
}

pub fn an_ended_session_never_refreshes_whatever_the_order(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..40 {
        let (first, second) = (jti(round), jti(round + 100));
        let id = add_token(store, &user, first)?.session_id.unwrap_or_else(|| SessionId::for_legacy_token(first));
        run_concurrently(3, |caller| match caller {
            0 => store.rotate(&[rotation(&user, first, second)]).map(drop),
            1 => end(store, id, 5).map(drop),
            _ => store.write(|tx| {
                tx.sessions().lock_account(user.id)?;
                tx.sessions().end_all(user.id, &KeepSessions::default(), &session_end(5)).map(drop)
            }),
        })?;
        for token in [first, second] {
            let mut again = rotation(&user, token, jti(250));
            again.successor = again.successor.with_session(id);
            assert_eq!(store.rotate(&[again])?, [false], "round {round}");
        }
        let ends = kinds(store, id)?.into_iter().filter(|kind| *kind == EventKind::Revoked).count();
        assert_eq!(ends, 1, "round {round}");
    }
    Ok(())
}

pub fn session_begun_while_all_end_is_ended_or_refused(store: &dyn Store) -> Outcome {
    let user = register(store, "ada@example.com")?;
    for round in 0..40 {
        let token = add_adopted_token(store, &user, jti(round))?;
        let session = session_of(&user, jti(round));
        let outcomes = run_concurrently(2, |caller| {
            store.write(|tx| {
                tx.sessions().lock_account(user.id)?;
                if caller == 0 {
                    return tx
                        .sessions()
                        .end_all(user.id, &KeepSessions::default(), &session_end(9))
                        .map(|ended| ended > 0);
                }
                let exchanged = tx.refresh_tokens().spend(jti(round), &spend_record(jti(round + 100)))?;
                if exchanged {
                    tx.sessions().begin(&session, &client())?;
                    let successor = RefreshToken { jti: jti(round + 100), ..token.clone() };
                    tx.refresh_tokens().insert(&successor.with_session(session.id))?;
                }
                Ok::<_, StoreError>(exchanged)
            })
        })?;
        assert_eq!(outcomes.first(), Some(&true), "round {round}: something was there to end");
        let open = find(store, session.id)?.is_some_and(|session| session.ended_at.is_none());
        assert!(!open, "round {round}: an exchange that was first is ended, one that was not is refused");
    }
    Ok(())
}

fn session_end(seconds: i64) -> SessionEnd {
    SessionEnd { at: at(seconds) + TimeDelta::nanoseconds(7), reason: EndReason::Revoked, client: client() }
}

fn end(store: &dyn Store, id: SessionId, seconds: i64) -> Result<bool, StoreError> {
    store.write(|tx| tx.sessions().end(id, &session_end(seconds)))
}

fn record(store: &dyn Store, id: SessionId, kind: EventKind, seconds: i64) -> Outcome {
    store.write(|tx| tx.sessions().record(id, &SessionEvent { at: at(seconds), kind, client: client() }))
}

fn kinds(store: &dyn Store, id: SessionId) -> Result<Vec<EventKind>, StoreError> {
    let events = store.read(|tx| tx.sessions().events(id, 1000))?;
    Ok(events.into_iter().map(|event| event.kind).collect())
}

fn find(store: &dyn Store, id: SessionId) -> Result<Option<Session>, StoreError> {
    store.read(|tx| tx.sessions().find(id))
}
