//! G7: effect of a login storm on other requests. Paced probes of refresh, /auth/me and /health, idle
//! and while 32 clients log in.

use super::hashing::logins;
use crate::client::accounts::{email, log_in};
use crate::client::connection::Connection;
use crate::client::flows::{Get, Session};
use crate::client::load::{Client, Window};
use crate::client::probes::{NEVER, Pace, Probed, probe};
use crate::measure::{Figures, number};
use crate::report::Bound::{AtLeast, AtMost};
use crate::report::Row;
use crate::run::Run;
use crate::server::Program;
use crate::target::{RunningTarget, Storage, Target, chains};
use anyhow::{Result, anyhow};
use std::thread;
use std::time::Duration;

const STORM: usize = 32;
const A_SECOND: u32 = 25;
/// Clients that alternate in sending the probes of one kind.
const TURNS: usize = 4;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for program in run.services() {
        let name = program.name();
        if let Err(error) = one(run, program) {
            run.report.fail(&format!("G7 {name}"), format!("{error:#}"));
        }
    }
    Ok(())
}

fn one(run: &mut Run, program: Program) -> Result<()> {
    let name = program.name();
    let site = Target::empty(run, program, Storage::Sqlite, "neighbours")?.start_with_accounts(run, 16)?;
    let mut probes = Probes::prepare(&site)?;
    let mut rounds = Vec::new();
    for number in 1..=run.options.rounds {
        eprintln!("       {name}, round {number}: idle, storm alone, both");
        rounds.push(probes.round(&site, run.long_window())?);
    }
    tell(run, (name, &probes), &rounds);
    Ok(())
}

/// Kinds of probes, each with its own clients.
struct Probes(Vec<(&'static str, Vec<Client>)>);

/// Figures of one round: each kind of probe idle and in the storm, the storm alone and with probes.
struct Round {
    idle: Vec<Figures>,
    busy: Vec<Figures>,
    shed: u64,
    alone: Figures,
    probed: Figures,
}

impl Probes {
    fn prepare(site: &RunningTarget) -> Result<Self> {
        let mut connection = Connection::open(site.server.address)?;
        let sessions: Vec<Session> =
            (0..TURNS).map(|number| log_in(&mut connection, &email(number))).collect::<Result<_>>()?;
        let me = sessions.iter().map(|session| -> Client { Box::new(Get::new("/auth/me", &session.access)) });
        let health = sessions.iter().map(|_| -> Client { Box::new(Get::new("/health", "")) });
        let mut kinds = vec![("refresh", chains(&sessions)), ("GET /health", health.collect())];
        if site.has("/auth/me")? {
            kinds.push(("GET /auth/me", me.collect()));
        }
        Ok(Self(kinds))
    }

    fn round(&mut self, site: &RunningTarget, window: Window) -> Result<Round> {
        let time = window.measured;
        let idle = self.run(site, time)?;
        let alone = Figures::of(&site.drive(&mut logins(STORM), window)?)?;
        let (probed, busy) = thread::scope(|scope| {
            let storm = scope.spawn(|| site.drive(&mut logins(STORM), window));
            // The hash queue is not full before the warm-up ends.
            thread::sleep(window.warm_up);
            let busy = self.run(site, time);
            (storm.join().map_err(|_| anyhow!("the storm panicked")), busy)
        });
        let (probed, busy) = (Figures::of(&probed??)?, busy?);
        let shed = busy.iter().map(|probed| probed.shed).sum();
        let one = |probed: &Probed| Figures::of_times(&probed.latencies, probed.shed);
        let figures = |all: Vec<Probed>| all.iter().map(one).collect();
        Ok(Round { idle: figures(idle), busy: figures(busy), shed, alone, probed })
    }

    /// Runs all kinds of probes concurrently.
    fn run(&mut self, site: &RunningTarget, time: Duration) -> Result<Vec<Probed>> {
        let (address, pace) = (site.server.address, Pace { a_second: A_SECOND, time, stop: &NEVER });
        thread::scope(|scope| {
            let threads = self.0.iter_mut().map(|(_, clients)| scope.spawn(move || probe(address, clients, pace)));
            // Collected first: joining each thread as it starts would run them one after another.
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a probe panicked"))?).collect()
        })
    }
}

fn tell(run: &mut Run, (contender, probes): (&str, &Probes), rounds: &[Round]) {
    let all = |figures: fn(&Round) -> Figures| Figures::median(&rounds.iter().map(figures).collect::<Vec<_>>());
    let mut row = |workload: &str, figures| {
        let (workload, contender) = (workload.to_owned(), contender.to_owned());
        run.report.rows.push(Row { goal: "G7", workload, contender, figures });
    };
    row("login, 32 clients, alone", all(|round| round.alone));
    row("login, 32 clients, probed", all(|round| round.probed));
    let mut ratios = Vec::new();
    for (kind, (name, _)) in probes.0.iter().enumerate() {
        let of = |figures: fn(&Round) -> &[Figures]| {
            Figures::median(&rounds.iter().filter_map(|round| figures(round).get(kind).copied()).collect::<Vec<_>>())
        };
        let (idle, busy) = (of(|round| &round.idle), of(|round| &round.busy));
        row(&format!("{name}, 25/s, idle"), idle);
        row(&format!("{name}, 25/s, in the storm"), busy);
        ratios.push((*name, busy.p99.zip(idle.p99).map(|(busy, idle)| busy / idle)));
    }
    if contender != "Portcullis" {
        return;
    }
    for (name, ratio) in ratios {
        run.report.check(("G7", name), "p99 in a storm of 32 logins, of idle", (ratio, ""), AtMost(4.0));
    }
    let shed: u64 = rounds.iter().map(|round| round.shed).sum();
    let shed = number(usize::try_from(shed).unwrap_or(usize::MAX));
    run.report.check(("G7", "all probes"), "shed in the storms", (Some(shed), ""), AtMost(0.0));
    let kept = all(|round| round.probed).rate.zip(all(|round| round.alone).rate).map(|(probed, alone)| probed / alone);
    run.report.check(("G7", "login, 32 clients, probed"), "rate, of the storm's alone", (kept, ""), AtLeast(0.9));
}
