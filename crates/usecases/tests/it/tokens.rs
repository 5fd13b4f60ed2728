//! Exchanging refresh tokens, and authenticating access tokens.

use crate::world::{World, shown};
use chrono::TimeDelta;
use portcullis_domain::ErrorCode;
use portcullis_domain::tokens::RefreshState;
use portcullis_ports::{Rotation, Store, StoreError, TxMode, TxWork};
use portcullis_testkit::Watched;
use portcullis_usecases::Caller;
use portcullis_usecases::tokens::SettleOutcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn part(token: &str, at: usize) -> String {
    token.split('.').nth(at).unwrap().to_owned()
}

fn code(world: &World, token: &str) -> ErrorCode {
    world.refresh(token).unwrap_err().code()
}

#[test]
fn a_pair_bears_the_identifiers_of_the_line() {
    let world = World::new();
    let (_, first) = world.ada();
    let second = world.refresh(&first.refresh_token).unwrap().pair;
    assert_eq!(part(&second.access_token, 2), part(&first.refresh_token, 2));
    assert_ne!(part(&second.refresh_token, 2), part(&first.refresh_token, 2));
    let third = world.refresh(&second.refresh_token).unwrap().pair;
    assert!(world.refresh(&third.refresh_token).is_ok(), "a line goes on");
}

#[test]
fn a_token_is_spent_once_and_the_loser_harms_nobody() {
    let world = World::new();
    let (ada, first) = world.ada();
    let second = world.refresh(&first.refresh_token).unwrap().pair;
    for _ in 0..3 {
        assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenRevoked);
    }
    assert!(world.refresh(&second.refresh_token).is_ok());
    let live = world.store.tokens_of(ada.id).iter().filter(|t| t.state == RefreshState::Live).count();
    assert_eq!(live, 1);
}

#[test]
fn a_token_dies_with_its_time_and_with_its_account() {
    let world = World::new();
    let (ada, first) = world.ada();
    world.store.set_active(ada.id, false);
    assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenRevoked);
    world.store.set_active(ada.id, true);
    world.pass(TimeDelta::days(7));
    assert_eq!(code(&world, &first.refresh_token), ErrorCode::TokenExpired);
}

#[test]
fn unverified_account_gets_no_new_tokens_and_loses_none() {
    let mut world = World::new();
    let (_, old) = world.ada();
    let link = world.mailed();
    let spent = world.refresh_with(&old.refresh_token, Some(1)).unwrap().pair;
    world.require_verified_email = true;
    for _ in 0..2 {
        assert_eq!(code(&world, &spent.refresh_token), ErrorCode::EmailUnverified);
    }
    let again = world.refresh_with(&old.refresh_token, Some(1)).unwrap_err();
    assert_eq!(again.code(), ErrorCode::EmailUnverified, "the same pair is new tokens, too");
    world.verify_from(&link, Some(&spent), None).unwrap();
    assert!(world.refresh(&spent.refresh_token).is_ok(), "it was not spent");
    world.pass(TimeDelta::seconds(11));
    assert_eq!(code(&world, &spent.refresh_token), ErrorCode::TokenRevoked);
}

#[test]
fn what_the_store_does_not_know_is_invalid() {
    let world = World::new();
    let (_, pair) = world.ada();
    let unknown = pair.refresh_token.replace(&part(&pair.refresh_token, 2), &"a".repeat(32));
    let of_another = pair.refresh_token.replacen(".1.", ".2.", 1);
    for token in [&unknown, &of_another, &pair.access_token, "nonsense"] {
        assert_eq!(code(&world, token), ErrorCode::TokenInvalid, "{token}");
    }
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn what_fails_spends_nothing() {
    let world = World::new();
    let (_, pair) = world.ada();
    world.tokens.broken.store(true, Ordering::SeqCst);
    assert_eq!(code(&world, &pair.refresh_token), ErrorCode::Internal);
    world.tokens.broken.store(false, Ordering::SeqCst);
    assert_eq!(world.without_store(|| code(&world, &pair.refresh_token)), ErrorCode::Unavailable);
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn an_access_token_speaks_for_its_account_while_that_is_active() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let code = |token: &str| world.authenticate(token).unwrap_err().code();
    assert_eq!(world.authenticate(&pair.access_token).unwrap().user.id, ada.id);
    assert_eq!(code(&pair.refresh_token), ErrorCode::TokenInvalid);
    assert_eq!(code(&pair.access_token.replacen(".1.", ".9.", 1)), ErrorCode::TokenInvalid);
    world.store.set_active(ada.id, false);
    assert_eq!(code(&pair.access_token), ErrorCode::TokenRevoked);
    world.pass(TimeDelta::minutes(15));
    assert_eq!(code(&pair.access_token), ErrorCode::TokenExpired);
}

/// A store that fails every batch and handles everything else.
struct NoBatches {
    rest: Arc<dyn Store>,
    error: StoreError,
}

impl Store for NoBatches {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.rest.transact(mode, work)
    }

    fn rotate(&self, _: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        Err(self.error.clone())
    }
}

fn corrupt() -> StoreError {
    StoreError::Corrupt { table: "refresh_tokens", column: "expires_at", id: 7, reason: "not a time".to_owned() }
}

#[test]
fn exchanges_that_go_together_end_each_on_its_own() {
    let world = World::new();
    let (_, live) = world.ada();
    let second = world.refresh(&live.refresh_token).unwrap().pair;
    let verb = world.refresh_on(world.store.clone());
    // The first is spent; the second is presented twice at the same time.
    let attempts = [&live, &second, &second]
        .map(|pair| verb.prepare(&shown(&pair.refresh_token, None), &Caller::default()).unwrap());
    let exchanged = verb.exchange(attempts.iter().map(|attempt| attempt.exchange()).collect());
    let ends = attempts.into_iter().zip(exchanged).map(|(attempt, exchanged)| match verb.settle(attempt, exchanged) {
        SettleOutcome::Done(outcome) => outcome.map(|_| true),
        SettleOutcome::NeedsJudgement(attempt) => verb.judge(*attempt).map(|_| false),
    });
    let ends: Vec<_> = ends.map(|end| end.map_err(|error| error.code())).collect();
    assert_eq!(ends, [Err(ErrorCode::TokenRevoked), Ok(true), Err(ErrorCode::TokenRevoked)]);
}

#[test]
fn batch_failed_by_another_token_costs_no_caller_its_token() {
    let world = World::new();
    let (_, mut pair) = world.ada();
    for error in [corrupt(), StoreError::Failed("a statement".to_owned())] {
        let verb = world.refresh_on(Arc::new(NoBatches { rest: world.store.clone(), error }));
        pair = verb.run(&shown(&pair.refresh_token, None), &Caller::default()).unwrap().pair;
    }
    assert!(world.refresh(&pair.refresh_token).is_ok());
}

#[test]
fn a_batch_whose_store_is_gone_is_not_tried_again() {
    let world = World::new();
    let (_, pair) = world.ada();
    for error in [StoreError::Unavailable("gone".to_owned()), StoreError::Busy("taken".to_owned())] {
        let verb = world.refresh_on(Arc::new(NoBatches { rest: world.store.clone(), error }));
        assert_eq!(
            verb.run(&shown(&pair.refresh_token, None), &Caller::default()).unwrap_err().code(),
            ErrorCode::Unavailable
        );
    }
    assert!(world.refresh(&pair.refresh_token).is_ok(), "nothing was spent");
}

#[test]
fn accounts_looked_up_together_each_get_their_own_result() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let bob = world.adopt("bob@example.org", "plain:x");
    let verb = world.authenticate_on(world.store.clone());
    // Without a session, like tokens of the FastAPI app.
    let sid = part(&pair.access_token, 3);
    let token =
        |id: i64| pair.access_token.replacen(&format!(".{}.", ada.id.get()), &format!(".{id}."), 1).replace(&sid, "-");
    let ids = [bob.id.get(), ada.id.get(), 99, bob.id.get()];
    world.store.set_active(ada.id, false);
    let inquiries: Vec<_> = ids.iter().map(|id| verb.read(&token(*id)).unwrap()).collect();
    let looked_up = verb.look_up(&inquiries).into_iter();
    let decided: Vec<_> = looked_up.map(|found| found.into_result().map(|a| a.user.id).map_err(|e| e.code())).collect();
    assert_eq!(decided, [Ok(bob.id), Err(ErrorCode::TokenRevoked), Err(ErrorCode::TokenInvalid), Ok(bob.id)]);
    world.store.set_outage(Some(StoreError::Unavailable("gone".to_owned())));
    let gone = verb.look_up(&inquiries).into_iter().map(|found| found.into_result().unwrap_err().code());
    assert!(gone.eq([ErrorCode::Unavailable; 4]));
}

#[test]
fn a_damaged_account_is_one_callers_trouble() {
    let world = World::new();
    let (ada, pair) = world.ada();
    let together = AtomicBool::new(true);
    let verb = world.authenticate_on(Arc::new(Watched::new(world.store.clone(), move |call| {
        if together.swap(false, Ordering::SeqCst) { Err(corrupt()) } else { call.run() }
    })));
    let inquiries = vec![verb.read(&pair.access_token).unwrap(); 2];
    let found = verb.look_up(&inquiries).into_iter().map(|found| found.into_result().unwrap().user.id);
    assert!(found.eq([ada.id; 2]));
}
