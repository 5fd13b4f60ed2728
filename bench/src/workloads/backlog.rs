//! G14: one million dead refresh tokens, purged while the service handles requests. Measures how much
//! longer a refresh takes until they are deleted.

use super::purge::{A_SECOND, SESSIONS, tell};
use crate::client::probes::{NEVER, Pace, probe, probe_during};
use crate::run::Run;
use crate::target::{Storage, Target, chains};
use anyhow::{Context, Result, ensure};
use std::thread;
use std::time::{Duration, Instant};

const ROWS: u32 = 1_000_000;
const EXPIRED: &str = "2026-01-01 00:00:00.000000";
/// The shortest interval. The first purge starts within a tenth of it.
const INTERVAL_MINUTES: u32 = 1;
/// Maximum duration of a purge.
const TIMEOUT: Duration = Duration::from_mins(30);
/// Interval between checks whether the purge is complete. A check reads one row by an index.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        let rows = if run.options.smoke { ROWS / 1000 } else { ROWS };
        let place = Target::empty(run, run.ours(), storage, &format!("backlog_{}", storage.name().to_lowercase()))?;
        let place = place.with("PURGE_INTERVAL_MINUTES", 0);
        let mut clients = chains(&place.sessions(run, SESSIONS)?);
        eprintln!("       {}: {rows} dead tokens", storage.name());
        place.sql(&rows_on_sqlite(rows), &rows_on_postgres(rows))?;
        let pace = Pace { a_second: A_SECOND, time: run.long_window().measured, stop: &NEVER };
        let idle = {
            let site = place.start(run)?;
            probe(site.server.address, &mut clients, pace)?
        };
        let site = place.with("PURGE_INTERVAL_MINUTES", INTERVAL_MINUTES).start(run)?;
        let address = site.server.address;
        wait_until_gone(&place, 1)?;
        let (pace, started) = (Pace { time: TIMEOUT, ..pace }, Instant::now());
        let busy = probe_during(address, &mut clients, pace, || wait_until_gone(&place, rows))?;
        let left = count(&place, &format!("expires_at <= '{EXPIRED}'"))?;
        ensure!(left == 0, "{left} of {rows} dead tokens are left");
        eprintln!("       {}: {rows} dead tokens purged in {:.1} s", storage.name(), started.elapsed().as_secs_f64());
        tell(run, ("G14", &format!("a million dead tokens, {}", storage.name())), 2.5, &idle, &busy);
    }
    Ok(())
}

/// Waits until the dead token with that number is deleted. Tokens are purged in the order of their
/// numbers.
fn wait_until_gone(place: &Target, number: u32) -> Result<()> {
    let start = Instant::now();
    while count(place, &format!("jti = '{number:032x}'"))? > 0 {
        ensure!(start.elapsed() < TIMEOUT, "the purge did not reach token {number} within {TIMEOUT:?}");
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

fn count(place: &Target, which: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM refresh_tokens WHERE {which}");
    place.sql(&sql, &sql)?.trim().parse().context("expected a count")
}

/// Half of the tokens are spent, the others were never used.
const COLUMNS: &str = "refresh_tokens (jti, user_id, expires_at, revoked, created_at)";

fn rows_on_sqlite(rows: u32) -> String {
    format!(
        "PRAGMA busy_timeout=20000; BEGIN IMMEDIATE;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO {COLUMNS}
        SELECT printf('%032x', i), (SELECT min(id) FROM users), '{EXPIRED}', i % 2 = 0, '{EXPIRED}' FROM n ORDER BY i;
        COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);"
    )
}

fn rows_on_postgres(rows: u32) -> String {
    format!(
        "INSERT INTO {COLUMNS}
        SELECT lpad(to_hex(i), 32, '0'), (SELECT min(id) FROM users), '{EXPIRED}', i % 2 = 0, '{EXPIRED}'
        FROM generate_series(1, {rows}) AS i ORDER BY i;
        ANALYZE; CHECKPOINT;"
    )
}
