//! How fast SQLite itself commits what a refresh writes, with nothing around it: the limit that
//! `cargo xtask bench` holds the service against. One connection, WAL, `synchronous=FULL`.
//!
//! `cargo run --release -p portcullis-diesel --example sqlite_commits -- --path FILE --batch N --seconds S`
//! makes FILE anew, commits N rotations at a time, and prints one JSON object.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers: it measures real time, and a failed step ends it"
)]

use chrono::DateTime;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use portcullis_diesel::{Migrations, SqliteStore, StoreOptions};
use portcullis_ports::Clock;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

diesel::table! {
    refresh_tokens (id) {
        id -> BigInt,
        jti -> Text,
        user_id -> BigInt,
        expires_at -> Text,
        revoked -> Bool,
        created_at -> Text,
        spent_at -> Nullable<Text>,
        successor_jti -> Nullable<Text>,
        session_id -> BigInt,
    }
}

diesel::table! {
    session_events (id) {
        id -> BigInt,
        session_id -> BigInt,
        at -> Text,
        kind -> Text,
    }
}

const NOW: &str = "2026-11-22 12:00:00.000000";
const LATER: &str = "2026-11-29 12:00:00.000000";
/// Tokens that are live at any time: as many sessions.
const CHAINS: usize = 1024;

fn main() {
    let path = argument("--path");
    let batch: usize = argument("--batch").parse().unwrap();
    let seconds: f64 = argument("--seconds").parse().unwrap();
    let mut connection = prepare(Path::new(&path));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut chains: Vec<String> = (0..CHAINS).map(|_| random.jti()).collect();
    connection.transaction(|c| (1..).zip(&chains).try_for_each(|(session, jti)| insert(c, session, jti))).unwrap();
    let (start, cpu, mut rotations) = (Instant::now(), cpu_seconds(), 0_usize);
    while start.elapsed() < Duration::from_secs_f64(seconds) {
        connection
            .immediate_transaction(|c| {
                (0..batch).try_for_each(|_| {
                    let chain = rotations % CHAINS;
                    rotations += 1;
                    let successor = random.jti();
                    let spent = std::mem::replace(&mut chains[chain], successor);
                    rotate(c, i64::try_from(chain).unwrap() + 1, &spent, &chains[chain])
                })
            })
            .unwrap();
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(r#"{{"batch":{batch},"rotations":{rotations},"seconds":{took:.3},"cpu_seconds":{cpu:.3}}}"#);
}

fn argument(name: &str) -> String {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1);
    value.unwrap_or_else(|| panic!("{name} is missing"))
}

/// A new file with the service's schema and one account.
fn prepare(path: &Path) -> SqliteConnection {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let store = SqliteStore::open(path, &StoreOptions::default(), Arc::new(Still)).unwrap();
    store.migrate().unwrap();
    drop(store);
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";
    connection.batch_execute(pragmas).unwrap();
    let account = "INSERT INTO users (email, hashed_password, created_at) VALUES ('ada@example.com', '', '')";
    connection.batch_execute(account).unwrap();
    connection
}

fn rotate(connection: &mut SqliteConnection, session: i64, spent: &str, successor: &str) -> QueryResult<()> {
    use refresh_tokens::dsl;
    use session_events as events;
    let live = dsl::refresh_tokens.filter(dsl::jti.eq(spent).and(dsl::revoked.eq(false)).and(dsl::expires_at.gt(NOW)));
    let change = (dsl::revoked.eq(true), dsl::spent_at.eq(NOW), dsl::successor_jti.eq(successor));
    assert_eq!(diesel::update(live).set(change).execute(connection)?, 1);
    insert(connection, session, successor)?;
    let event = (events::session_id.eq(session), events::at.eq(NOW), events::kind.eq("rotated"));
    diesel::insert_into(events::table).values(event).execute(connection).map(drop)
}

fn insert(connection: &mut SqliteConnection, session: i64, jti: &str) -> QueryResult<()> {
    use refresh_tokens::dsl;
    let values = (
        dsl::jti.eq(jti),
        dsl::user_id.eq(1_i64),
        dsl::expires_at.eq(LATER),
        dsl::revoked.eq(false),
        dsl::created_at.eq(NOW),
        dsl::session_id.eq(session),
    );
    diesel::insert_into(dsl::refresh_tokens).values(values).execute(connection).map(drop)
}

/// The processor's time of this process's one thread.
fn cpu_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let nanoseconds: u64 = statistics.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

/// Identifiers that fall anywhere in the index, as random ones do (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn jti(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

/// The time is not read while a file is prepared.
struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<chrono::Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}
