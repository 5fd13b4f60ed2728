//! Refresh tokens that are presented again: the same pair, a refusal, or the end of the session.

use crate::world::{World, shown};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::sessions::{ClientInfo, Session, SessionId};
use portcullis_domain::tokens::{
    IdempotencyKeyDigest, Jti, RefreshPolicy, RefreshState, RefreshToken, SpendRecord, Verdict,
};
use portcullis_ports::{Clock, Rotation, Store, StoreError, StoreExt, TxMode, TxWork};
use portcullis_usecases::Caller;
use portcullis_usecases::tokens::TokenPair;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn texts(pair: &TokenPair) -> (String, String) {
    (pair.access_token.clone(), pair.refresh_token.clone())
}

#[test]
fn the_key_of_an_exchange_gets_the_same_pair_however_late() {
    let world = World::new();
    let (ada, first) = world.ada();
    let second = world.refresh_with(&first.refresh_token, Some(1)).unwrap();
    assert_eq!((second.verdict, second.pair.expires_in), (Verdict::Rotated, 900));
    for late in [TimeDelta::zero(), TimeDelta::milliseconds(1500), TimeDelta::minutes(10)] {
        world.pass(late);
        let again = world.refresh_with(&first.refresh_token, Some(1)).unwrap();
        assert!(matches!(again.verdict, Verdict::Retried(_)));
        assert_eq!((texts(&again.pair), again.pair.expires_in), (texts(&second.pair), 900));
    }
    world.pass(TimeDelta::minutes(5));
    let again = world.refresh_with(&first.refresh_token, Some(1)).unwrap().pair;
    assert_eq!((texts(&again), again.expires_in), (texts(&second.pair), 0), "its access token has expired");
    assert_eq!(world.store.tokens_of(ada.id).len(), 2);
    assert!(world.refresh_with(&again.refresh_token, Some(1)).is_ok(), "a key is a token's own");
    assert!(world.refresh_with(&first.refresh_token, Some(1)).is_err(), "its successor was used");
}

#[test]
fn an_overlap_gives_the_same_pair_to_anybody() {
    let mut world = World::new();
    world.policy = RefreshPolicy { overlap: TimeDelta::seconds(5), ..RefreshPolicy::STRICT };
    let (_, first) = world.ada();
    let second = world.refresh(&first.refresh_token).unwrap().pair;
    world.pass(TimeDelta::seconds(4));
    let again = world.refresh_with(&first.refresh_token, Some(1)).unwrap();
    assert!(matches!(again.verdict, Verdict::Overlapped(_)));
    assert_eq!(texts(&again.pair), texts(&second));
    world.pass(TimeDelta::seconds(1));
    assert_eq!(world.refresh(&first.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
}

#[test]
fn spent_token_presented_late_ends_its_session_and_no_other() {
    let world = World::new();
    let (ada, first) = world.ada();
    let other = world.log_in("ada@example.org", "correct horse").unwrap().pair;
    let second = world.refresh(&first.refresh_token).unwrap().pair;
    world.pass(TimeDelta::seconds(10));
    assert!(world.refresh(&first.refresh_token).is_err());
    assert!(world.authenticate(&second.access_token).is_ok(), "a race harms nobody");
    world.pass(TimeDelta::milliseconds(1));
    assert_eq!(world.refresh(&first.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(world.refresh(&second.refresh_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(world.authenticate(&second.access_token).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert!(world.refresh(&other.refresh_token).is_ok());
    let ended = world.store.sessions_of(ada.id).iter().filter(|session| session.ended_at.is_some()).count();
    assert_eq!(ended, 1);
}

#[test]
fn a_session_grows_too_old_however_often_it_is_refreshed() {
    let world = World::new();
    let (_, mut pair) = world.ada();
    for _ in 0..5 {
        world.pass(TimeDelta::days(5));
        pair = world.refresh(&pair.refresh_token).unwrap().pair;
    }
    world.pass(TimeDelta::days(5) - TimeDelta::milliseconds(1));
    pair = world.refresh(&pair.refresh_token).unwrap().pair;
    world.pass(TimeDelta::milliseconds(1));
    assert_eq!(world.refresh(&pair.refresh_token).unwrap_err().code(), ErrorCode::TokenExpired);
    assert_eq!(world.authenticate(&pair.access_token).unwrap_err().code(), ErrorCode::TokenExpired);
}

/// Adds a live token without a session, as the FastAPI app does, and returns its text.
pub(crate) fn adopted(world: &World, pair: &TokenPair, jti: Jti) -> String {
    let times: Vec<_> = pair.refresh_token.split('.').skip(4).collect();
    let owner = world.authenticate(&pair.access_token).unwrap().user.id;
    let token = RefreshToken::new(jti, owner, world.clock.now(), TimeDelta::days(7));
    world.store.write(|tx| tx.refresh_tokens().insert(&token)).unwrap();
    format!("refresh.{owner}.{jti}.-.{}", times.join("."))
}

#[test]
fn a_token_without_a_session_begins_one_at_its_first_exchange() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let jti = Jti::from_random([3; 16]);
    let token = adopted(&world, &pair, jti);
    assert_eq!(world.store.sessions_of(ada.id).len(), 1);
    world.pass(TimeDelta::days(1));
    let next = world.refresh_with(&token, Some(1)).unwrap().pair;
    let begun = Session::begin(SessionId::for_legacy_token(jti), ada.id, world.clock.now());
    assert!(world.store.sessions_of(ada.id).contains(&begun), "counted from then");
    assert_eq!(world.authenticate(&next.access_token).unwrap().session_id, Some(begun.id));
    assert_eq!(texts(&world.refresh_with(&token, Some(1)).unwrap().pair), texts(&next));
    assert!(world.refresh(&next.refresh_token).is_ok());
}

#[test]
fn theft_of_a_legacy_token_revokes_its_live_successor() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let (first, second) = (Jti::from_random([5; 16]), Jti::from_random([6; 16]));
    let (spent, live) = (adopted(&world, &pair, first), adopted(&world, &pair, second));
    let spend_record = SpendRecord { at: world.clock.now(), key: None, successor: second };
    assert_eq!(world.store.write(|tx| tx.refresh_tokens().spend(first, &spend_record)), Ok(true));
    world.pass(TimeDelta::seconds(11));
    assert_eq!(world.refresh(&spent).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert_eq!(world.refresh(&live).unwrap_err().code(), ErrorCode::TokenRevoked);
    assert!(world.refresh(&pair.refresh_token).is_ok(), "of another session");
    assert_eq!(world.store.sessions_of(ada.id).len(), 1);
}

#[test]
fn the_row_knows_the_session_better_than_the_token() {
    let world = World::new();
    let (_, pair) = world.ada();
    let jti = Jti::from_random([4; 16]);
    let sid = pair.refresh_token.split('.').nth(3).unwrap();
    let mislabelled = adopted(&world, &pair, jti).replace(".-.", &format!(".{sid}."));
    let next = world.refresh(&mislabelled).unwrap().pair;
    assert_eq!(world.authenticate(&next.access_token).unwrap().session_id, Some(SessionId::for_legacy_token(jti)));
    world.log_out(&pair.refresh_token).unwrap();
    assert!(world.refresh(&next.refresh_token).is_ok());
}

/// A store in which another caller exchanges the token between each read and exchange.
struct Faster {
    rest: Arc<dyn Store>,
    by: Rotation,
    transactions: AtomicUsize,
}

impl Store for Faster {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        if self.transactions.fetch_add(1, Ordering::SeqCst) == 0 {
            assert_eq!(self.rest.rotate(std::slice::from_ref(&self.by)), Ok(vec![true]));
        }
        self.rest.transact(mode, work)
    }

    fn rotate(&self, _: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        Ok(vec![false])
    }
}

#[test]
fn who_loses_a_race_with_its_own_key_gets_the_winners_pair() {
    for (key, won) in [(Some(1), true), (None, false)] {
        let world = World::new();
        let (ada, pair) = world.ada();
        let mut parts = pair.refresh_token.split('.').skip(2);
        let spent = Jti::parse(parts.next().unwrap()).unwrap();
        let session = SessionId::parse(parts.next().unwrap()).unwrap();
        let at = world.clock.now();
        let successor = RefreshToken::new(Jti::from_random([9; 16]), ada.id, at, TimeDelta::days(7));
        let (session_cutoff, client) = (world.sessions.max_age_cutoff(at), ClientInfo::default());
        let successor = successor.with_session(session);
        let by = Rotation {
            spent,
            at,
            key: Some(IdempotencyKeyDigest([1; 32])),
            session_cutoff,
            verified_only: false,
            client,
            successor,
        };
        let store = Arc::new(Faster { rest: world.store.clone(), by, transactions: AtomicUsize::new(0) });
        let outcome = world.refresh_on(store).run(&shown(&pair.refresh_token, key), &Caller::default());
        assert_eq!(outcome.is_ok(), won, "{outcome:?}");
        let live = world.store.tokens_of(ada.id).into_iter().filter(|token| token.state == RefreshState::Live);
        assert_eq!(live.count(), 1);
    }
}
