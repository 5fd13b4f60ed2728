//! Shared circuits of several replicas, over shared state that can be unavailable or lose its data.

use crate::{RECOVERY, Time, fail};
use portcullis_ports::{CircuitUpdate, SharedCircuits, SharedCircuitsError};
use portcullis_resilience::{BreakerSettings, CircuitBreaker, Permit, SharingSettings, State, share};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// State shared by all replicas.
#[derive(Default)]
struct Board {
    time: Time,
    lost: AtomicBool,
    news: Mutex<HashMap<String, (u64, Option<Duration>)>>,
    probe: Mutex<Option<(u8, Duration)>>,
    number: AtomicU64,
}

/// Connection of one replica to the shared state.
struct Side {
    board: Arc<Board>,
    replica: u8,
}

impl Side {
    fn reach(&self) -> Result<&Board, SharedCircuitsError> {
        if self.board.lost.load(Ordering::SeqCst) {
            Err(SharedCircuitsError("lost".to_owned()))
        } else {
            Ok(&self.board)
        }
    }

    fn tell(&self, circuit: &str, until: Option<Duration>) -> Result<u64, SharedCircuitsError> {
        let board = self.reach()?;
        let number = board.number.fetch_add(1, Ordering::SeqCst);
        board.news.lock().unwrap().insert(circuit.to_owned(), (number, until));
        board.probe.lock().unwrap().take_if(|probe| probe.0 == self.replica);
        Ok(number)
    }
}

impl SharedCircuits for Side {
    fn publish_open(&self, circuit: &str, open_for: Duration) -> Result<u64, SharedCircuitsError> {
        self.tell(circuit, Some(self.board.time.now() + open_for))
    }

    fn publish_closed(&self, circuit: &str) -> Result<u64, SharedCircuitsError> {
        self.tell(circuit, None)
    }

    fn latest(&self, circuit: &str) -> Result<Option<CircuitUpdate>, SharedCircuitsError> {
        let news = self.reach()?.news.lock().unwrap().get(circuit).copied();
        let left = |until: Duration| until.saturating_sub(self.board.time.now());
        Ok(news.map(|(number, until)| CircuitUpdate { version: number, open_for: until.map(left) }))
    }

    fn claim_probe(&self, _: &str, lease: Duration) -> Result<Option<Duration>, SharedCircuitsError> {
        let board = self.reach()?;
        let (mut probe, now) = (board.probe.lock().unwrap(), board.time.now());
        match *probe {
            Some((holder, until)) if holder != self.replica && until > now => Ok(Some(until - now)),
            _ => {
                *probe = Some((self.replica, now + lease));
                Ok(None)
            }
        }
    }
}

const PROBE: Duration = Duration::from_secs(9);

fn replicas(board: &Arc<Board>) -> [CircuitBreaker; 3] {
    [1, 2, 3].map(|replica| {
        let builder = board.time.builder(BreakerSettings::default().with_call_timeout(PROBE));
        let side = Arc::new(Side { board: board.clone(), replica });
        let sharing = SharingSettings { circuit: "database", recovery: RECOVERY, probe: PROBE, board: side };
        share(builder, sharing).unwrap()
    })
}

fn trip(breaker: &CircuitBreaker) {
    for _ in 0..5 {
        fail(breaker);
    }
}

fn all_are(replicas: &[CircuitBreaker], state: State) -> bool {
    replicas.iter().all(|replica| replica.snapshot().state == state)
}

#[track_caller]
fn eventually(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sleeps longer than the poll interval of the replicas.
fn a_while() {
    thread::sleep(Duration::from_millis(800));
}

#[test]
fn one_replicas_trip_opens_all_and_one_probe_closes_all() {
    let board = Arc::new(Board::default());
    let replicas = replicas(&board);
    trip(&replicas[0]);
    eventually(|| all_are(&replicas, State::Open));
    assert!(replicas[2].snapshot().retry_after > Duration::ZERO);
    board.time.pass(RECOVERY);
    let permits: Vec<_> = replicas.iter().map(CircuitBreaker::acquire).collect();
    assert_eq!(permits.iter().filter(|permit| permit.is_ok()).count(), 1, "one probe for all");
    for permit in permits.into_iter().flatten() {
        permit.success();
    }
    eventually(|| all_are(&replicas, State::Closed));
}

#[test]
fn failed_probe_keeps_all_open_and_another_replica_may_probe() {
    let board = Arc::new(Board::default());
    let replicas = replicas(&board);
    trip(&replicas[0]);
    eventually(|| all_are(&replicas, State::Open));
    board.time.pass(RECOVERY);
    fail(&replicas[1]);
    eventually(|| replicas.iter().all(|replica| replica.snapshot().retry_after > RECOVERY / 2));
    board.time.pass(RECOVERY);
    replicas[2].acquire().unwrap().success();
    eventually(|| all_are(&replicas, State::Closed));
}

#[test]
fn the_probe_of_a_replica_that_is_gone_passes_to_another() {
    let board = Arc::new(Board::default());
    let replicas = replicas(&board);
    trip(&replicas[0]);
    eventually(|| all_are(&replicas, State::Open));
    board.time.pass(RECOVERY);
    std::mem::forget(replicas[0].acquire().unwrap());
    assert!(replicas[1].acquire().is_err());
    board.time.pass(PROBE);
    replicas[1].acquire().unwrap().success();
    eventually(|| replicas[1].snapshot().state == State::Closed);
}

#[test]
fn without_the_board_each_goes_by_what_it_knows() {
    let board = Arc::new(Board::default());
    let replicas = replicas(&board);
    board.lost.store(true, Ordering::SeqCst);
    trip(&replicas[0]);
    a_while();
    assert_eq!(replicas[0].snapshot().state, State::Open);
    assert!(all_are(&replicas[1..], State::Closed), "a lost board opens nothing");
    board.time.pass(RECOVERY);
    replicas[0].acquire().unwrap().success();
    assert_eq!(replicas[0].snapshot().state, State::Closed);
    board.lost.store(false, Ordering::SeqCst);
    // The first replica may publish its close late, after any single trip of the third.
    eventually(|| {
        replicas[2].acquire().into_iter().for_each(Permit::failure);
        all_are(&replicas, State::Open)
    });
}

#[test]
fn a_board_that_forgets_closes_nothing_and_opens_nothing() {
    let board = Arc::new(Board::default());
    let replicas = replicas(&board);
    trip(&replicas[0]);
    eventually(|| all_are(&replicas, State::Open));
    board.news.lock().unwrap().clear();
    a_while();
    assert!(all_are(&replicas, State::Open));
    board.time.pass(RECOVERY);
    replicas[1].acquire().unwrap().success();
    eventually(|| all_are(&replicas, State::Closed));
    board.news.lock().unwrap().clear();
    a_while();
    assert!(all_are(&replicas, State::Closed));
}

#[test]
fn a_trip_that_is_over_opens_nothing() {
    let board = Arc::new(Board::default());
    let gone = Side { board: board.clone(), replica: 9 };
    gone.publish_open("database", RECOVERY).unwrap();
    board.time.pass(RECOVERY);
    let replicas = replicas(&board);
    a_while();
    assert!(all_are(&replicas, State::Closed), "they have started since, and met no failure");
    gone.publish_open("database", RECOVERY).unwrap();
    eventually(|| all_are(&replicas, State::Open));
}

#[test]
fn a_crowd_asks_the_board_once() {
    let asked = Arc::new(AtomicU64::new(0));
    let (count, time) = (asked.clone(), Time::default());
    let slow = move || {
        count.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        None
    };
    let breaker = time.builder(BreakerSettings::default().with_failure_threshold(1)).probe_gate(slow).build();
    fail(&breaker);
    time.pass(RECOVERY);
    let admitted = thread::scope(|scope| {
        let crowd: Vec<_> = (0..16).map(|_| scope.spawn(|| breaker.acquire().map(std::mem::forget).is_ok())).collect();
        crowd.into_iter().map(|one| usize::from(one.join().unwrap())).sum::<usize>()
    });
    assert_eq!((admitted, asked.load(Ordering::SeqCst)), (1, 1));
}
