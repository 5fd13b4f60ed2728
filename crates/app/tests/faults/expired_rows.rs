//! F31: many expired rows. They slow down neither the start nor requests, nor does their purge. Spent
//! tokens that can still be presented stay.

use crate::prelude::*;

on_both_databases!(expired_rows_slow_nothing_down, a_purge_stops_no_call_and_keeps_spent_tokens);

const ROWS: u32 = 60_000;
/// Pause of a client after each call, which leaves the purge a share of the machine.
const PAUSE: Duration = Duration::from_millis(25);
const SESSIONS: u32 = 3_000;
/// Sessions whose steps are timed, one after another: a hundred answers.
const TIMED: usize = 20;
const START: Duration = Duration::from_secs(15);

/// So long ago, as the database spells it.
fn ago(database: &Database, time: &str) -> String {
    match database {
        Database::Sqlite(_) => format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{time}')"),
        Database::Postgres { .. } => format!("now() - interval '{time}'"),
    }
}

/// So many numbers from 1, as a table.
fn numbers(database: &Database, count: u32) -> String {
    match database {
        Database::Sqlite(_) => {
            format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})")
        }
        Database::Postgres { .. } => format!("WITH n AS (SELECT generate_series(1, {count}) AS n)"),
    }
}

/// Tokens that expired a month ago, half of them spent and half forgotten.
fn fill(database: &Database, user: i64, rows: u32) {
    let (numbers, expiry) = (numbers(database, rows), ago(database, "30 days"));
    let jti = hexadecimal(database);
    // Not row by row whether there is the account: SQLite is not asked to either.
    let unchecked = match database {
        Database::Sqlite(_) => "",
        Database::Postgres { .. } => "SET session_replication_role = replica;",
    };
    database.execute(&format!(
        "{unchecked} {numbers} INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) \
         SELECT {jti}, {user}, {expiry}, n % 2 = 0, {expiry} FROM n"
    ));
}

fn hexadecimal(database: &Database) -> &'static str {
    match database {
        Database::Sqlite(_) => "printf('%032x', n)",
        Database::Postgres { .. } => "lpad(to_hex(n), 32, '0')",
    }
}

/// Beyond the numbers of all others.
const DEAD_SESSIONS: u32 = 1_000_000;

/// Sessions that are kept no longer, of one event each.
fn fill_sessions(database: &Database, user: i64, rows: u32) {
    let (numbers, end, sid) = (numbers(database, rows), ago(database, "31 days"), hexadecimal(database));
    database.execute(&format!(
        "{numbers} INSERT INTO sessions (id, sid, user_id, created_at, ended_at, end_reason) \
         SELECT {DEAD_SESSIONS} + n, {sid}, {user}, {end}, {end}, 'logout' FROM n"
    ));
    database.execute(&format!(
        "INSERT INTO session_events (session_id, at, kind) \
         SELECT id, ended_at, 'ended' FROM sessions WHERE id > {DEAD_SESSIONS}"
    ));
}

/// The times of each step of a session, sorted.
fn sessions(service: &Service, account: &Account, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut step = |call: &dyn Fn() -> Reply| {
        let (time, reply) = timed(|| within_deadline(call));
        times.push(time);
        reply
    };
    for _ in 0..count {
        let pair = Pair::of(&step(&|| service.login(&account.email, &account.password)));
        let next = Pair::of(&step(&|| service.refresh(&pair.refresh)));
        step(&|| service.refresh(&pair.refresh)).expect_error(401, "AUTH_TOKEN_REVOKED");
        step(&|| service.me(&next.access)).expect(200);
        step(&|| service.logout(&next.refresh)).expect(200);
    }
    times.sort_unstable();
    times
}

fn expired_rows_slow_nothing_down(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let few = sessions(&service, &account, TIMED);
    service.stop();
    fill(&service.database, account.id, ROWS);
    let (time, service) = timed(|| service.again().start());
    assert!(time < START, "the start took {time:?}");
    let many = sessions(&service, &account, TIMED);
    let (before, after) = (few[few.len() / 2], many[many.len() / 2]);
    assert!(after < 4 * before + Duration::from_millis(10), "half of all took {before:?} before, {after:?} now");
    service.watched(|| {
        let histories = work(&[&service], |progress| progress.acknowledge(50));
        assert!(histories.iter().all(|history| history.cut.is_none()), "refused");
        check(&histories, &service);
    });
    service.refresh(&pair.refresh).expect(200);
}

/// Purges by the command while a client refreshes and logs in. Returns what the purge printed.
fn purge(service: &Service, account: &Account) -> String {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut pair = service.sign_in(account);
            for number in 0.. {
                pair = Pair::of(&within_deadline(|| match number % 10 {
                    0 => service.login(&account.email, &account.password),
                    _ => service.refresh(&pair.refresh),
                }));
                if over.load(Ordering::SeqCst) {
                    return;
                }
                pause(PAUSE);
            }
        });
        let _over = SetOnDrop(&over);
        let mut purge = KillOnDrop::spawn(&mut ServiceBuilder::over(&service.database).argument("purge").command());
        let output = Log::follow(purge.child().stdout.take().unwrap());
        assert!(purge.child().wait().unwrap().success(), "{}", output.text());
        output.wait_for_end();
        output.text()
    })
}

/// A session whose first token was exchanged, and its row changed since.
fn exchanged(service: &Service, change: &str) -> [Pair; 2] {
    let (_, pair) = service.session();
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.database.execute(&format!("UPDATE refresh_tokens SET {change} WHERE jti = '{}'", pair.jti()));
    [pair, next]
}

fn a_purge_stops_no_call_and_keeps_spent_tokens(backend: Backend) {
    let service = backend.service().set("PURGE_INTERVAL_MINUTES", "0").start();
    let account = service.account();
    fill(&service.database, account.id, ROWS);
    fill_sessions(&service.database, account.id, SESSIONS);
    let ago = |time: &str| ago(&service.database, time);
    let (days, minutes) = (ago("6 days"), ago("2 minutes"));
    let kept = [
        exchanged(&service, &format!("created_at = {days}, spent_at = {days}, server_spent_at = {days}")),
        // At a clock that is late it is good yet.
        exchanged(&service, &format!("expires_at = {minutes}, spent_at = {days}, server_spent_at = {days}")),
    ];
    let output = service.watched(|| purge(&service, &account));
    for [spent, next] in kept {
        service.refresh(&spent.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
        // It was known for what it is, and ended its session.
        service.refresh(&next.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    expect_nothing_dead(&service.database);
    assert!(output.starts_with(&format!("Deleted {} rows ", ROWS + 2 * SESSIONS)), "{output}");
}

fn expect_nothing_dead(database: &Database) {
    let (token, session) = (ago(database, "29 days"), ago(database, "30 days"));
    for dead in [
        format!("refresh_tokens WHERE expires_at < {token}"),
        format!("sessions WHERE ended_at < {session}"),
        format!("session_events WHERE at < {session}"),
    ] {
        assert_eq!(database.count(&format!("FROM {dead}")), 0, "{dead}");
    }
}
