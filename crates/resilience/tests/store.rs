//! Breaker around a store: which errors count, the reported status, and the calls that never reach the
//! store.

#![cfg(all(not(loom), feature = "ports"))]

use portcullis_domain::health::CircuitState;
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_ports::{CircuitMonitor, CircuitStatus, Rotation, Store, StoreError, TxMode, TxOutcome, TxWork};
use portcullis_ports::{
    OneTimeTokenRepository, OutboxRepository, RefreshTokenRepository, SessionRepository, Tx, UserRepository,
};
use portcullis_resilience::{Breaker, BreakerSettings, CircuitBreaker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Store that runs the work without a transaction, returns its result and counts the calls.
#[derive(Clone, Default)]
struct EchoStore(Arc<AtomicUsize>);

struct NoTx;

impl Tx for NoTx {
    fn users(&mut self) -> &mut dyn UserRepository {
        unreachable!("the work of these tests asks for nothing")
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        unreachable!("the work of these tests asks for nothing")
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        unreachable!("the work of these tests asks for nothing")
    }

    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository {
        unreachable!("the work of these tests asks for nothing")
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        unreachable!("the work of these tests asks for nothing")
    }
}

impl Store for EchoStore {
    fn transact(&self, _: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        work(&mut NoTx).map(drop)
    }
}

struct Fixture {
    store: Breaker<EchoStore>,
    calls: Arc<AtomicUsize>,
    seconds: Arc<AtomicU64>,
}

impl Fixture {
    /// Creates a breaker that opens after two outages, for 30 s.
    fn new() -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let breaker = CircuitBreaker::builder(BreakerSettings::default().with_failure_threshold(2))
            .clock(move || Duration::from_secs(clock.load(Ordering::SeqCst)))
            .build();
        let inner = EchoStore::default();
        let calls = Arc::clone(&inner.0);
        Self { store: Breaker::new("database", inner, breaker), calls, seconds }
    }

    fn call(&self, result: Result<TxOutcome, StoreError>) -> Result<(), StoreError> {
        self.store.transact(TxMode::Write, &mut |_| result.clone())
    }

    fn opened() -> Self {
        let fixture = Self::new();
        (0..2).for_each(|_| assert_eq!(fixture.call(Err(outage())), Err(outage())));
        fixture
    }

    fn state(&self) -> CircuitState {
        self.store.status().state
    }
}

fn outage() -> StoreError {
    StoreError::Unavailable("connection refused".into())
}

fn corrupt() -> StoreError {
    StoreError::Corrupt { table: "users", column: "email", id: 1, reason: "not UTF-8".into() }
}

#[test]
fn outages_open_the_circuit_and_then_nothing_reaches_the_store() {
    let fixture = Fixture::opened();
    let retry_after = Duration::from_secs(30);
    assert_eq!(fixture.call(Ok(TxOutcome::Commit)), Err(StoreError::CircuitOpen { retry_after }));
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 2);
    let status = CircuitStatus { name: "database", state: CircuitState::Open, retry_after };
    assert_eq!(fixture.store.status(), status);
}

#[test]
fn after_the_time_one_probe_closes_it() {
    let fixture = Fixture::opened();
    fixture.seconds.store(30, Ordering::SeqCst);
    let during = fixture.store.transact(TxMode::Read, &mut |_| {
        assert_eq!(fixture.state(), CircuitState::HalfOpen);
        let second = fixture.call(Ok(TxOutcome::Commit));
        assert_eq!(second, Err(StoreError::CircuitOpen { retry_after: Duration::from_secs(1) }));
        Ok(TxOutcome::Commit)
    });
    assert_eq!((during, fixture.state()), (Ok(()), CircuitState::Closed));
}

#[test]
fn what_is_no_outage_never_opens_it_and_passes_unchanged() {
    let fixture = Fixture::new();
    let unwritable = StoreError::Unwritable("disk full".into());
    for error in [StoreError::Failed("no such column".into()), corrupt(), StoreError::Busy("pool".into()), unwritable] {
        (0..9).for_each(|_| assert_eq!(fixture.call(Err(error.clone())), Err(error.clone())));
    }
    assert_eq!((fixture.call(Ok(TxOutcome::Rollback)), fixture.state()), (Ok(()), CircuitState::Closed));
}

#[test]
fn an_answer_of_any_kind_sets_the_count_back_and_closes() {
    let fixture = Fixture::new();
    for _ in 0..5 {
        fixture.call(Err(outage())).unwrap_err();
        fixture.call(Err(corrupt())).unwrap_err();
    }
    assert_eq!(fixture.state(), CircuitState::Closed);
    let fixture = Fixture::opened();
    fixture.seconds.store(30, Ordering::SeqCst);
    fixture.call(Err(corrupt())).unwrap_err();
    assert_eq!(fixture.state(), CircuitState::Closed);
}

#[test]
fn an_outage_counts_for_every_rotation_of_a_call() {
    let now = chrono::DateTime::UNIX_EPOCH;
    let successor = RefreshToken::new(Jti::from_random([2; 16]), UserId::new(1), now, chrono::TimeDelta::days(7));
    let (session_cutoff, client) = (now, portcullis_domain::sessions::ClientInfo::default());
    let rotation = Rotation {
        spent: Jti::from_random([1; 16]),
        at: now,
        key: None,
        session_cutoff,
        verified_only: false,
        client,
        successor,
    };
    let store = Breaker::new("database", Rotating(outage()), circuit_of_two());
    assert_eq!(store.rotate(std::slice::from_ref(&rotation)), Err(outage()));
    assert_eq!(store.status().state, CircuitState::Closed);
    let store = Breaker::new("database", Rotating(outage()), circuit_of_two());
    assert_eq!(store.rotate(&[rotation.clone(), rotation]), Err(outage()));
    assert_eq!(store.status().state, CircuitState::Open);
}

#[test]
fn rotations_pass_through_the_same_circuit_one_call_each() {
    let fixture = Fixture::opened();
    let refused = fixture.store.rotate(&[]);
    assert!(matches!(refused, Err(StoreError::CircuitOpen { .. })), "{refused:?}");
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 2);
    fixture.seconds.store(30, Ordering::SeqCst);
    assert_eq!(fixture.store.rotate(&[]), Ok(Vec::new()), "the inner store decides what nothing is");
    assert_eq!(fixture.state(), CircuitState::Closed);
    let store = Breaker::new("database", Rotating(outage()), circuit_of_two());
    for _ in 0..2 {
        assert_eq!(store.rotate(&[]), Err(outage()));
    }
    assert_eq!(store.status().state, CircuitState::Open);
}

/// Store that fails every rotation with the same error and has no other operation.
struct Rotating(StoreError);

impl Store for Rotating {
    fn transact(&self, _: TxMode, _: &mut TxWork<'_>) -> Result<(), StoreError> {
        unreachable!("a rotation is forwarded as one")
    }

    fn rotate(&self, _: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        Err(self.0.clone())
    }
}

fn circuit_of_two() -> CircuitBreaker {
    CircuitBreaker::new(BreakerSettings::default().with_failure_threshold(2))
}

#[test]
fn a_full_pool_and_a_failed_statement_are_no_answers() {
    for neither in [StoreError::Busy("pool".into()), StoreError::Failed("kein Speicherplatz".into())] {
        let fixture = Fixture::new();
        fixture.call(Err(outage())).unwrap_err();
        fixture.call(Err(neither.clone())).unwrap_err();
        fixture.call(Err(outage())).unwrap_err();
        assert_eq!(fixture.state(), CircuitState::Open);
        fixture.seconds.store(30, Ordering::SeqCst);
        fixture.call(Err(neither)).unwrap_err();
        assert_eq!(fixture.state(), CircuitState::HalfOpen);
        fixture.call(Ok(TxOutcome::Commit)).unwrap();
        assert_eq!(fixture.state(), CircuitState::Closed);
    }
}

#[test]
fn a_panicking_probe_is_not_lost() {
    let fixture = Fixture::opened();
    fixture.seconds.store(30, Ordering::SeqCst);
    let panics = || {
        let mut work = |tx: &mut dyn Tx| tx.users().find(UserId::new(1)).map(|_| TxOutcome::Commit);
        fixture.store.transact(TxMode::Read, &mut work)
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(fixture.state(), CircuitState::Open);
    fixture.seconds.store(60, Ordering::SeqCst);
    fixture.call(Ok(TxOutcome::Commit)).unwrap();
}
