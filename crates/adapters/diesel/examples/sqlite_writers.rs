//! What callers of the SQLite store wait for where several of them write at once, as logins do
//! that finish together, with a refresh now and then among them.
//!
//! `cargo run --release -p portcullis-diesel --example sqlite_writers -- --path FILE --writers N --pause MS --seconds S`
//! makes FILE anew. N threads each add a token at the same moment, and again MS milliseconds after
//! all have (0: each as soon as it can). Another rotates a token every 10 ms. Prints one JSON
//! object. `strace -f -c -e trace=fdatasync` in front of the program counts what was synced.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers: it measures real time, and a failed step ends it"
)]

use chrono::{DateTime, TimeDelta};
use portcullis_diesel::{Migrations, SqliteStore, StoreOptions};
use portcullis_domain::login::Credentials;
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, UserId};
use portcullis_domain::sessions::{ClientInfo, Session, SessionId};
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_ports::{Clock, Rotation, Store, StoreExt, Tx};
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const REFRESH_EVERY: Duration = Duration::from_millis(10);

/// When the writers write.
struct Plan {
    gate: Barrier,
    /// None: each as soon as it can.
    rounds: u128,
    pause: Duration,
    end: Instant,
}

fn main() {
    let path = argument("--path");
    let writers: u64 = argument("--writers").parse().unwrap();
    let pause = Duration::from_millis(argument("--pause").parse().unwrap());
    let length = Duration::from_secs_f64(argument("--seconds").parse().unwrap());
    let (store, user) = prepare(Path::new(&path));
    let (cpu, end) = (cpu_seconds(), Instant::now() + length);
    // As many rounds as there were time for if they took none.
    let rounds = length.as_millis().checked_div(pause.as_millis()).unwrap_or(0);
    let plan = Plan { gate: Barrier::new(usize::try_from(writers).unwrap()), rounds, pause, end };
    let (writes, rotations) = thread::scope(|scope| {
        let write = |writer| {
            let (plan, store) = (&plan, &store);
            scope.spawn(move || write(store, user, Random(writer), plan))
        };
        let running: Vec<_> = (1..=writers).map(write).collect();
        let rotating = scope.spawn(|| rotate(&store, user, end));
        let writes: Vec<_> = running.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        (writes, rotating.join().unwrap())
    });
    let cpu = cpu_seconds() - cpu;
    println!(
        r#"{{"writers":{writers},"cpu_seconds":{cpu:.2},"writes":{},"rotations":{}}}"#,
        summary(writes),
        summary(rotations)
    );
}

fn argument(name: &str) -> String {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1);
    value.unwrap_or_else(|| panic!("{name} is missing"))
}

fn prepare(path: &Path) -> (SqliteStore, UserId) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let store = SqliteStore::open(path, &StoreOptions::default(), Arc::new(SinceStart(Instant::now()))).unwrap();
    store.migrate().unwrap();
    let email = EmailAddress::from_stored("ada@example.com".to_owned());
    let credentials = Credentials::from_hash(PasswordHash::new(String::new()));
    let new = NewUser { email, credentials, created_at: DateTime::UNIX_EPOCH, verified_at: None };
    let user = store.write(|tx| tx.users().insert(&new)).unwrap().unwrap();
    (store, user.id)
}

/// Adds tokens; how long each took.
fn write(store: &SqliteStore, user: UserId, mut random: Random, plan: &Plan) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..plan.rounds {
        plan.gate.wait();
        took.push(add(store, user, &mut random));
        plan.gate.wait();
        thread::sleep(plan.pause);
    }
    while plan.rounds == 0 && Instant::now() < plan.end {
        took.push(add(store, user, &mut random));
    }
    took
}

fn add(store: &SqliteStore, user: UserId, random: &mut Random) -> Duration {
    let token = live(user, random);
    let start = Instant::now();
    store.write(|tx| tx.refresh_tokens().insert(&token)).unwrap();
    start.elapsed()
}

/// Rotates one token after another; how long each took from when it was due.
fn rotate(store: &SqliteStore, user: UserId, end: Instant) -> Vec<Duration> {
    let mut random = Random(0);
    let session = Session::begin(SessionId::from_random([1; 16]), user, DateTime::UNIX_EPOCH);
    let mut token = live(user, &mut random).with_session(session.id);
    let begin = |tx: &mut dyn Tx| {
        tx.sessions().begin(&session, &ClientInfo::default())?;
        tx.refresh_tokens().insert(&token)
    };
    store.write(begin).unwrap();
    let (mut took, mut due) = (Vec::new(), Instant::now());
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let successor = live(user, &mut random).with_session(session.id);
        let rotation = Rotation {
            spent: token.jti,
            at: DateTime::UNIX_EPOCH,
            key: None,
            session_cutoff: DateTime::UNIX_EPOCH - TimeDelta::days(30),
            verified_only: false,
            client: ClientInfo::default(),
            successor: successor.clone(),
        };
        assert_eq!(store.rotate(&[rotation]), Ok(vec![true]));
        took.push(due.elapsed());
        (token, due) = (successor, due + REFRESH_EVERY);
    }
    took
}

fn live(user: UserId, random: &mut Random) -> RefreshToken {
    RefreshToken::new(random.jti(), user, DateTime::UNIX_EPOCH, TimeDelta::days(7))
}

fn summary(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| {
        let place = took.len().saturating_sub(1) * percent / 100;
        took.get(place).map_or(0, Duration::as_micros)
    };
    format!(r#"{{"count":{},"p50_us":{},"p99_us":{}}}"#, took.len(), at(50), at(99))
}

/// The processor's time of all threads of this process, those that have ended too.
fn cpu_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = statistics.rsplit(')').next().unwrap();
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// Identifiers that fall anywhere in the index, as random ones do (SplitMix64).
struct Random(u64);

impl Random {
    fn jti(&mut self) -> Jti {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(mixed.to_le_bytes().into_iter().cycle()).for_each(|(byte, random)| *byte = random);
        Jti::from_random(bytes)
    }
}

struct SinceStart(Instant);

impl Clock for SinceStart {
    fn now(&self) -> DateTime<chrono::Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}
