//! Breaker around a store: which errors count, the reported status, and the calls that never reach the
//! store.

use crate::{RECOVERY, Time};
use portcullis_domain::health::CircuitState;
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_ports::{CircuitMonitor, CircuitStatus, Rotation, Store, StoreError, TxMode, TxOutcome};
use portcullis_resilience::{Breaker, BreakerSettings, CircuitBreaker, State};
use portcullis_testkit::{FailingStore, MemoryStore, Watched};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

struct Fixture {
    store: Breaker<Watched<MemoryStore>>,
    calls: Arc<AtomicUsize>,
    time: Time,
}

impl Fixture {
    /// Creates a breaker that opens after two outages, around a store that counts its calls.
    fn new() -> Self {
        let (time, calls) = (Time::default(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&calls);
        let inner = Watched::new(MemoryStore::new(), move |call| {
            count.fetch_add(1, Ordering::SeqCst);
            call.run()
        });
        Self { store: Breaker::new("database", inner, time.breaker(2)), calls, time }
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
    let retry_after = RECOVERY;
    assert_eq!(fixture.call(Ok(TxOutcome::Commit)), Err(StoreError::CircuitOpen { retry_after }));
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 2);
    let status = CircuitStatus { name: "database", state: CircuitState::Open, retry_after };
    assert_eq!(fixture.store.status(), status);
}

#[test]
fn after_the_time_one_probe_closes_it() {
    let fixture = Fixture::opened();
    fixture.time.pass(RECOVERY);
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
    fixture.time.pass(RECOVERY);
    fixture.call(Err(corrupt())).unwrap_err();
    assert_eq!(fixture.state(), CircuitState::Closed);
}

#[test]
fn an_outage_counts_for_every_rotation_of_a_call() {
    let store = lost();
    assert_eq!(store.rotate(&[rotation()]), Err(outage()));
    assert_eq!(store.status().state, CircuitState::Closed);
    let store = lost();
    assert_eq!(store.rotate(&[rotation(), rotation()]), Err(outage()));
    assert_eq!(store.status().state, CircuitState::Open);
}

fn rotation() -> Rotation {
    let now = chrono::DateTime::UNIX_EPOCH;
    let successor = RefreshToken::new(Jti::from_random([2; 16]), UserId::new(1), now, chrono::TimeDelta::days(7));
    let (session_cutoff, client) = (now, portcullis_domain::sessions::ClientInfo::default());
    let spent = Jti::from_random([1; 16]);
    Rotation { spent, at: now, key: None, session_cutoff, verified_only: false, client, successor }
}

#[test]
fn rotations_pass_through_the_same_circuit_one_call_each() {
    let fixture = Fixture::opened();
    let refused = fixture.store.rotate(&[]);
    assert!(matches!(refused, Err(StoreError::CircuitOpen { .. })), "{refused:?}");
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 2);
    fixture.time.pass(RECOVERY);
    assert_eq!(fixture.store.rotate(&[]), Ok(Vec::new()), "the inner store decides what nothing is");
    assert_eq!(fixture.state(), CircuitState::Closed);
    let store = lost();
    for _ in 0..2 {
        assert_eq!(store.rotate(&[]), Err(outage()));
    }
    assert_eq!(store.status().state, CircuitState::Open);
}

/// Creates a circuit that opens after two outages, around a store that fails every call.
fn lost() -> Breaker<FailingStore> {
    Breaker::new("database", FailingStore(outage()), Time::default().breaker(2))
}

#[test]
fn a_full_pool_and_a_failed_statement_are_no_answers() {
    for neither in [StoreError::Busy("pool".into()), StoreError::Failed("kein Speicherplatz".into())] {
        let fixture = Fixture::new();
        fixture.call(Err(outage())).unwrap_err();
        fixture.call(Err(neither.clone())).unwrap_err();
        fixture.call(Err(outage())).unwrap_err();
        assert_eq!(fixture.state(), CircuitState::Open);
        fixture.time.pass(RECOVERY);
        fixture.call(Err(neither)).unwrap_err();
        assert_eq!(fixture.state(), CircuitState::HalfOpen);
        fixture.call(Ok(TxOutcome::Commit)).unwrap();
        assert_eq!(fixture.state(), CircuitState::Closed);
    }
}

/// Creates a store whose circuits open after two outages, the second one that of writes.
fn with_writes(store: FailingStore) -> (Breaker<FailingStore>, CircuitBreaker) {
    let time = Time::default();
    let writes = time.breaker(2);
    (Breaker::new("database", store, time.breaker(2)).with_writes(writes.clone()), writes)
}

/// Creates a store that takes no writes until the flag is cleared.
fn half_lost() -> (Breaker<Watched<MemoryStore>>, CircuitBreaker, Arc<AtomicBool>, Time) {
    let (time, lost) = (Time::default(), Arc::new(AtomicBool::new(true)));
    let is_lost = Arc::clone(&lost);
    let inner = Watched::new(MemoryStore::new(), move |call| match call.mode {
        TxMode::Write if is_lost.load(Ordering::SeqCst) => Err(StoreError::Unwritable("read-only".into())),
        _ => call.run(),
    });
    let writes = time.breaker(2);
    (Breaker::new("database", inner, time.breaker(2)).with_writes(writes.clone()), writes, lost, time)
}

#[test]
fn failed_writes_open_their_own_circuit_whatever_is_read_between() {
    let (store, writes, lost, time) = half_lost();
    let call = |mode, end: TxOutcome| store.transact(mode, &mut |_| Ok(end));
    for _ in 0..2 {
        assert_eq!(writes.snapshot().state, State::Closed);
        call(TxMode::Write, TxOutcome::Commit).unwrap_err();
        call(TxMode::Read, TxOutcome::Commit).unwrap();
    }
    assert_eq!(writes.snapshot().state, State::Open);
    assert_eq!(call(TxMode::Write, TxOutcome::Commit), Err(StoreError::CircuitOpen { retry_after: RECOVERY }));
    call(TxMode::Read, TxOutcome::Commit).unwrap();
    assert_eq!(store.status().state, CircuitState::Closed);
    lost.store(false, Ordering::SeqCst);
    time.pass(RECOVERY);
    call(TxMode::Write, TxOutcome::Rollback).unwrap();
    assert_eq!(writes.snapshot().state, State::HalfOpen, "what was rolled back proves nothing");
    call(TxMode::Write, TxOutcome::Commit).unwrap();
    assert_eq!(writes.snapshot().state, State::Closed);
}

#[test]
fn an_outage_counts_in_both_circuits_and_the_other_refuses_before_the_store() {
    let (store, writes) = with_writes(FailingStore(outage()));
    for _ in 0..2 {
        store.transact(TxMode::Write, &mut |_| unreachable!()).unwrap_err();
    }
    assert_eq!((store.status().state, writes.snapshot().state), (CircuitState::Open, State::Open));
    writes.reset();
    let refused = store.transact(TxMode::Write, &mut |_| unreachable!());
    assert!(matches!(refused, Err(StoreError::CircuitOpen { .. })), "{refused:?}");
    assert_eq!(writes.snapshot().totals.neutral, 1, "the call did not reach the store");
}

#[test]
fn a_refused_write_counts_for_every_rotation_of_a_call() {
    let (store, writes) = with_writes(FailingStore(StoreError::Unwritable("read-only".into())));
    store.rotate(&[rotation(), rotation()]).unwrap_err();
    assert_eq!((store.status().state, writes.snapshot().state), (CircuitState::Closed, State::Open));
}

#[test]
fn check_writes_itself_once_a_write_has_failed() {
    let (store, writes, lost, time) = half_lost();
    assert_eq!(store.check(TxMode::Read), Ok(()), "nothing is known yet, and it writes nothing");
    store.transact(TxMode::Write, &mut |_| Ok(TxOutcome::Commit)).unwrap_err();
    let during = writes.acquire().unwrap();
    assert!(matches!(store.check(TxMode::Read), Err(StoreError::Unwritable(_))));
    assert_eq!(writes.snapshot().consecutive_failures, 1, "the write under way will tell");
    during.neutral();
    assert!(matches!(store.check(TxMode::Read), Err(StoreError::Unwritable(_))));
    assert_eq!(writes.snapshot().state, State::Open, "that was a write");
    assert!(matches!(store.check(TxMode::Read), Err(StoreError::CircuitOpen { .. })));
    time.pass(RECOVERY);
    lost.store(false, Ordering::SeqCst);
    assert_eq!(store.check(TxMode::Read), Ok(()));
    assert_eq!(writes.snapshot().state, State::Closed);
}

#[test]
fn one_write_probe_hangs_at_a_time_until_all_calls_fail() {
    let (time, limit) = (Time::default(), RECOVERY * 5);
    let circuit = |failures| {
        let settings = BreakerSettings::default().with_failure_threshold(failures).with_call_timeout(limit);
        time.builder(settings).build()
    };
    let (all, writes) = (circuit(10), circuit(1));
    let (entered, entries) = channel();
    let (release, released) = channel();
    let released = Mutex::new(released);
    let inner = Watched::new(MemoryStore::new(), move |call| {
        if call.mode == TxMode::Write {
            entered.send(()).unwrap();
            // The time ends a test that fails.
            let _ = released.lock().unwrap().recv_timeout(Duration::from_secs(5));
        }
        call.run()
    });
    let store = Breaker::new("database", inner, all.clone()).with_writes(writes.clone());
    let write = || store.transact(TxMode::Write, &mut |_| Ok(TxOutcome::Commit));
    writes.trip(RECOVERY);
    time.pass(RECOVERY);
    thread::scope(|scope| {
        scope.spawn(write);
        entries.recv().unwrap();
        time.pass(limit);
        for _ in 0..3 {
            time.pass(RECOVERY);
            let refused = write();
            assert!(matches!(refused, Err(StoreError::CircuitOpen { .. })), "{refused:?}");
            assert!(matches!(store.check(TxMode::Read), Err(StoreError::Unwritable(_))));
        }
        assert!(entries.try_recv().is_err(), "no other write reached the store");
        // After an outage of all calls it may be another server.
        all.trip(RECOVERY);
        all.reset();
        scope.spawn(write);
        entries.recv().unwrap();
        (0..2).for_each(|_| release.send(()).unwrap());
    });
    assert_eq!(writes.snapshot().state, State::Closed);
}

#[test]
fn a_write_that_hangs_opens_only_the_circuit_of_writes() {
    let (time, limit) = (Time::default(), RECOVERY);
    let circuit = || {
        let settings = BreakerSettings::default().with_failure_threshold(1).with_call_timeout(limit);
        time.builder(settings).build()
    };
    let (all, writes) = (circuit(), circuit());
    let (clock, states, watched) = (time.clone(), Arc::new(Mutex::new(Vec::new())), [all.clone(), writes.clone()]);
    let seen = Arc::clone(&states);
    let inner = Watched::new(MemoryStore::new(), move |call| {
        clock.pass(limit);
        *seen.lock().unwrap() = watched.iter().map(|circuit| circuit.snapshot().state).collect();
        call.run()
    });
    let store = Breaker::new("database", inner, all).with_writes(writes);
    store.transact(TxMode::Write, &mut |_| Ok(TxOutcome::Commit)).unwrap();
    assert_eq!(*states.lock().unwrap(), [State::Closed, State::Open]);
}

#[test]
fn a_panicking_probe_is_not_lost() {
    let fixture = Fixture::opened();
    fixture.time.pass(RECOVERY);
    let panics = || fixture.store.transact(TxMode::Read, &mut |_| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(fixture.state(), CircuitState::Open);
    fixture.time.pass(RECOVERY);
    fixture.call(Ok(TxOutcome::Commit)).unwrap();
}
