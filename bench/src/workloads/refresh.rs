//! Chains of refreshes on both databases, with up to 256 concurrent sessions. The baselines are commits
//! of the same rows by the database alone.

use super::baselines::{Pgbench, sqlite_commits};
use crate::client::flows::CookieRefresh;
use crate::client::load::Client;
use crate::measure::{Contender, Figures};
use crate::report::Bound::{AtLeast, AtMost};
use crate::run::Run;
use crate::server::Program;
use crate::target::{RunningTarget, Storage, Target, chains};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// Number of sessions, and the minimum rate relative to the baseline and to the peer.
struct Step {
    sessions: usize,
    of_limit: f64,
    of_peer: Option<f64>,
}

const fn step(sessions: usize, of_limit: f64, of_peer: Option<f64>) -> Step {
    Step { sessions, of_limit, of_peer }
}

/// G4: on SQLite.
pub(super) fn sqlite(run: &mut Run) -> Result<()> {
    let steps = [step(16, 0.35, Some(12.0)), step(64, 0.35, Some(20.0)), step(256, 0.35, Some(20.0))];
    measure(run, "G4", Storage::Sqlite, &steps, Some(0.15))
}

/// G5: a single session. A batch of one does not wait for others.
pub(super) fn alone(run: &mut Run) -> Result<()> {
    let [sqlite, postgres] = Storage::BOTH.map(|storage| measure(run, "G5", storage, &[step(1, 0.6, None)], None));
    sqlite.and(postgres)
}

/// N5: by cookie, compared with one by body.
pub(super) fn by_cookie(run: &mut Run) -> Result<()> {
    const SESSIONS: usize = 64;
    let place = Target::empty(run, run.ours(), Storage::Sqlite, "refresh_by_cookie")?;
    let mut body = place.sessions(run, 2 * SESSIONS)?;
    let cookie = body.split_off(SESSIONS);
    let site = place.with("COOKIE_MODE", "on").with("PUBLIC_URL", CookieRefresh::ORIGIN).start(run)?;
    let window = run.window();
    let by_cookie = cookie.iter().map(|session| -> Client { Box::new(CookieRefresh::new(session)) }).collect();
    let kinds = [("body", chains(&body)), ("cookie", by_cookie)];
    let mut contenders = kinds.map(|(name, mut clients): (_, Vec<Client>)| {
        let site = &site;
        Contender::new(name, move || Figures::of(&site.drive(&mut clients, window)?))
    });
    let name = format!("refresh by cookie, {SESSIONS} sessions");
    let compared = run.compare("N5", &name, &mut contenders);
    let cpu = compared.get("cookie", |f| f.cpu).zip(compared.get("body", |f| f.cpu));
    let of_body = cpu.map(|(cookie, body)| cookie / body);
    run.report.check(("N5", &name), "CPU, of one by body", (of_body, ""), AtMost(1.1));
    Ok(())
}

/// G6: on PostgreSQL.
pub(super) fn postgres(run: &mut Run) -> Result<()> {
    let steps = [step(16, 0.8, Some(12.0)), step(64, 1.3, Some(12.0)), step(256, 1.3, Some(12.0))];
    measure(run, "G6", Storage::Postgres, &steps, Some(0.2))
}

/// A running service and the chains of its sessions.
struct Served {
    name: &'static str,
    site: RunningTarget,
    clients: Vec<Client>,
}

fn measure(run: &mut Run, goal: &'static str, storage: Storage, steps: &[Step], cpu: Option<f64>) -> Result<()> {
    let most = steps.iter().map(|step| step.sessions).max().unwrap_or(1);
    let mut served = Vec::new();
    for program in run.services() {
        let name = program.name();
        let place = Target::empty(run, program, storage, &format!("refresh_{}_{most}", storage.name().to_lowercase()))?;
        // A peer hashes at its own cost, which takes too long for a smoke run.
        let few = run.options.smoke && matches!(place.program, Program::Peer(_));
        let clients = chains(&place.sessions(run, if few { 16 } else { most })?);
        served.push(Served { name, site: place.start(run)?, clients });
    }
    let limit = Limit::prepare(run, storage);
    for step in steps {
        one(run, (goal, storage), (&mut served, &limit), step);
        if let Some(most) = cpu {
            let name = workload(storage, step);
            let own = run.report.cpu_of(&name, "Portcullis");
            run.report.check((goal, &name), "CPU with the database's", (own, "ms"), AtMost(most));
        }
    }
    limit.map(drop)
}

fn workload(storage: Storage, step: &Step) -> String {
    let plural = if step.sessions == 1 { "" } else { "s" };
    format!("refresh, {}, {} session{plural}", storage.name(), step.sessions)
}

fn one(
    run: &mut Run,
    (goal, storage): (&'static str, Storage),
    (served, limit): (&mut [Served], &Result<Limit>),
    step: &Step,
) {
    let (window, name) = (run.window(), workload(storage, step));
    let mut contenders: Vec<_> = served
        .iter_mut()
        .map(|Served { name, site, clients }| {
            Contender::new(*name, move || {
                let count = step.sessions.min(clients.len());
                let clients = clients.get_mut(..count).unwrap_or_default();
                Figures::of(&site.drive(clients, window)?)
            })
        })
        .collect();
    let limit_name = Limit::name(storage);
    if let Ok(limit) = limit {
        contenders.insert(1, Contender::new(limit_name, || limit.measure(step.sessions, window.measured)));
    }
    let compared = run.compare(goal, &name, &mut contenders);
    let of_limit = compared.ratio(limit_name, |f| f.rate);
    run.report.check((goal, &name), "rate, of the baseline's", (of_limit, ""), AtLeast(step.of_limit));
    if let Some(least) = step.of_peer {
        let of_peer = compared.ratio("peer", |f| f.rate);
        run.report.check((goal, &name), "rate, of the peer's", (of_peer, ""), AtLeast(least));
    }
}

/// Baseline: the database without the service.
enum Limit {
    Sqlite { program: PathBuf, folder: PathBuf },
    Postgres(Pgbench),
}

impl Limit {
    fn prepare(run: &mut Run, storage: Storage) -> Result<Self> {
        Ok(match storage {
            Storage::Sqlite => {
                Self::Sqlite { program: run.programs.limit("sqlite_commits")?, folder: run.folder.clone() }
            }
            Storage::Postgres => Self::Postgres(Pgbench::prepare(run)?),
        })
    }

    fn name(storage: Storage) -> &'static str {
        match storage {
            Storage::Sqlite => "SQLite, batched commits",
            Storage::Postgres => "pgbench, one statement",
        }
    }

    fn measure(&self, sessions: usize, time: Duration) -> Result<Figures> {
        match self {
            Self::Sqlite { program, folder } => sqlite_commits(program, folder, sessions, time),
            Self::Postgres(pgbench) => pgbench.measure(sessions, time),
        }
    }
}
