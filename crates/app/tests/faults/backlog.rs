//! F31: very many expired rows. They slow down neither the start nor what is served beside them.

use super::load::work;
use super::oracle::check;
use crate::harness::accounts::{Account, Pair};
use crate::harness::bounds::bounded;
use crate::harness::calls::Reply;
use crate::harness::databases::{Backend, Database};
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use crate::harness::waiting::timed;
use std::time::Duration;

on_both_databases!(expired_rows_slow_nothing_down);

const ROWS: u32 = 300_000;
const START: Duration = Duration::from_secs(15);
/// Of a hundred answers the slowest but one.
const ANSWER: Duration = Duration::from_secs(1);

/// Sessions that ended a month ago, half of them spent and half forgotten.
fn fill(database: &Database, user: i64) {
    let (numbers, jti, month_ago) = match database {
        Database::Sqlite(_) => (
            format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})"),
            "printf('%032x', n)",
            "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-30 days')",
        ),
        Database::Postgres { .. } => (
            format!("WITH n AS (SELECT generate_series(1, {ROWS}) AS n)"),
            "lpad(to_hex(n), 32, '0')",
            "now() - interval '30 days'",
        ),
    };
    database.execute(&format!(
        "{numbers} INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) \
         SELECT {jti}, {user}, {month_ago}, n % 2 = 0, {month_ago} FROM n"
    ));
}

/// The times of each step of a session, sorted.
fn sessions(service: &Service, account: &Account, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut step = |call: &dyn Fn() -> Reply| {
        let (time, reply) = timed(|| bounded(call));
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
    let few = sessions(&service, &account, 40);
    service.stop();
    fill(&service.database, account.id);
    let (time, service) = timed(|| service.again().start());
    assert!(time < START, "the start took {time:?}");
    let many = sessions(&service, &account, 40);
    let (before, after) = (few[few.len() / 2], many[many.len() / 2]);
    assert!(after < 4 * before + Duration::from_millis(10), "half of all took {before:?} before, {after:?} now");
    service.watched(|| {
        let mut times = Vec::new();
        let histories = work(&[&service], |progress| {
            progress.acknowledge(50);
            times = sessions(&service, &account, 40);
        });
        assert!(times[times.len() - 3] < ANSWER, "{times:?}");
        assert!(histories.iter().all(|history| history.cut.is_none()), "refused");
        check(&histories, &service);
    });
    service.refresh(&pair.refresh).expect(200);
}
