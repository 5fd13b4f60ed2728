//! The model of `docs/scale.md` at small scale: refreshes and logins share the cores, hashing takes most of
//! them, and beyond the capacity logins are refused while refreshes are not.

use super::hashing::logins;
use crate::client::accounts::{email, log_in};
use crate::client::connection::Connection;
use crate::client::load::Client;
use crate::client::probes::{NEVER, Pace, Probed, probe, probe_during};
use crate::measure::{Figures, median, milliseconds, number};
use crate::report::Bound::{AtLeast, AtMost};
use crate::report::Row;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target, chains};
use anyhow::{Context, Result};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// Refreshes per login: eight a day, and a login a week.
const REFRESHES: f64 = 56.0;
const SESSIONS: usize = 64;
/// More than wait for a hash at once, so that the queue can fill.
const LOGINS: usize = 160;
/// Offered loads, of the capacity that the model predicts, and the most CPU time, of the model's. Below the
/// capacity, fewer hashes are computed together and fewer refreshes share a statement.
const LOADS: [(f64, &str, f64); 2] = [(0.4, "0.4 of the capacity", 5.0), (1.5, "1.5 times the capacity", 1.5)];
/// Refreshes per second that hardly share statements.
const PACED: u32 = 500;
/// Refreshes end with the logins.
const NO_END: Duration = Duration::from_mins(10);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let site = Target::empty(run, run.ours(), Storage::Postgres, "scale")?.start_with_accounts(run, 16)?;
    let mut connection = Connection::open(site.server.address)?;
    let sessions = (0..SESSIONS).map(|number| log_in(&mut connection, &email(number % 16)));
    let mut refreshes = chains(&sessions.collect::<Result<Vec<_>>>()?);
    let (mut alone, mut rounds) = (Vec::new(), LOADS.map(|_| Vec::new()));
    for number in 1..=run.options.rounds {
        eprintln!("       round {number}: logins alone, refreshes alone, both below and above the capacity");
        let round = Alone::measure(&site, &mut refreshes, run)?;
        for ((load, ..), rounds) in LOADS.iter().zip(&mut rounds) {
            rounds.push(round.mixed(&site, &mut refreshes, *load, run.long_window().measured)?);
        }
        alone.push(round);
    }
    Alone::tell(run, &alone);
    for ((load, name, most), rounds) in LOADS.iter().zip(&rounds) {
        tell(run, (name, *most), rounds);
        let refused = |of: fn(&Mixed) -> &Figures| rounds.iter().filter_map(|round| of(round).shed).sum::<f64>();
        let of_logins = if *load < 1.0 { AtMost(0.0) } else { AtLeast(1.0) };
        run.report.check(("scale", name), "logins refused", (Some(refused(|round| &round.logins)), ""), of_logins);
        let refreshes = refused(|round| &round.refreshes);
        run.report.check(("scale", name), "refreshes refused", (Some(refreshes), ""), AtMost(0.0));
    }
    Ok(())
}

/// Selects the figures of an operation.
type FiguresOf = fn(&Alone) -> Figures;

/// Figures of each operation alone.
struct Alone {
    login: Figures,
    refresh: Figures,
    /// Refreshes at a fixed pace.
    paced: Figures,
    /// CPU time of PostgreSQL in each, of all.
    databases: [f64; 3],
}

/// Both operations at once.
struct Mixed {
    logins: Figures,
    refreshes: Figures,
    /// CPU time, of what the model predicts for these logins and refreshes.
    of_model: f64,
    /// CPU time of PostgreSQL, of all.
    database: f64,
}

impl Alone {
    fn measure(site: &RunningTarget, refreshes: &mut [Client], run: &Run) -> Result<Self> {
        let (address, time) = (site.server.address, run.long_window().measured);
        let start = Cpu::of(site)?;
        let login = Figures::of(&site.drive(&mut logins(32), run.long_window())?)?;
        let (of_login, start) = (start.database(site)?, Cpu::of(site)?);
        let refresh = Figures::of(&site.drive(refreshes, run.window())?)?;
        let (of_refresh, start) = (start.database(site)?, Cpu::of(site)?);
        let paced = probe(address, refreshes, Pace { a_second: PACED, time, stop: &NEVER })?;
        let cpu = milliseconds(start.since(site)?.0) / number(paced.latencies.len());
        let databases = [of_login, of_refresh, start.database(site)?];
        Ok(Self { login, refresh, paced: Figures { cpu: Some(cpu), ..figures(&paced) }, databases })
    }

    fn tell(run: &mut Run, rounds: &[Self]) {
        let kinds: [(&str, FiguresOf, f64); 3] = [
            ("login, 32 clients", |round| round.login, 0.25),
            ("refresh, 64 sessions", |round| round.refresh, 0.75),
            ("refresh, 500 a second", |round| round.paced, 0.75),
        ];
        for (kind, (name, of, most)) in kinds.into_iter().enumerate() {
            add_row(run, name, &rounds.iter().map(of).collect::<Vec<_>>());
            let shares: Vec<_> = rounds.iter().filter_map(|round| round.databases.get(kind).copied()).collect();
            run.report.check(("scale", name), "CPU of PostgreSQL, of all", (median(&shares), ""), AtMost(most));
        }
    }

    /// Offers both at a load, in relation to the capacity: the cores, divided by the CPU time of a login and
    /// its refreshes while each has many callers.
    fn mixed(&self, site: &RunningTarget, refreshes: &mut [Client], load: f64, time: Duration) -> Result<Mixed> {
        let (login, refresh) = self.login.cpu.zip(self.refresh.cpu).context("no CPU time")?;
        let capacity = number(available_parallelism()?.get()) * 1e3 / (login + REFRESHES * refresh);
        let (offered, others) = (whole(capacity * load), whole(capacity * load * REFRESHES));
        let (address, mut clients, mut logged_in) = (site.server.address, logins(LOGINS), Probed::default());
        let (cpu, start) = (Cpu::of(site)?, Instant::now());
        let pace = |a_second, time| Pace { a_second, time, stop: &NEVER };
        let refreshed = probe_during(address, refreshes, pace(others, NO_END), || {
            logged_in = probe(address, &mut clients, pace(offered, time))?;
            Ok(())
        })?;
        let (logins, refreshes) = (number(logged_in.latencies.len()), number(refreshed.latencies.len()));
        let rate = logins / start.elapsed().as_secs_f64();
        Ok(Mixed {
            logins: Figures { rate: Some(rate), ..figures(&logged_in) },
            refreshes: figures(&refreshed),
            of_model: milliseconds(cpu.since(site)?.0) / (logins * login + refreshes * refresh),
            database: cpu.database(site)?,
        })
    }
}

/// CPU time at the start of a measurement: of all, and of the service.
struct Cpu(Duration, Duration);

impl Cpu {
    fn of(site: &RunningTarget) -> Result<Self> {
        Ok(Self(site.cpu()?, site.server.cpu()?))
    }

    fn since(&self, site: &RunningTarget) -> Result<Self> {
        let Self(all, service) = Self::of(site)?;
        Ok(Self(all.saturating_sub(self.0), service.saturating_sub(self.1)))
    }

    /// Returns the share of PostgreSQL since then.
    fn database(&self, site: &RunningTarget) -> Result<f64> {
        let Self(all, service) = self.since(site)?;
        Ok(1.0 - service.as_secs_f64() / all.as_secs_f64())
    }
}

fn figures(probed: &Probed) -> Figures {
    Figures::of_times(&probed.latencies, probed.shed)
}

/// Returns the whole part of a rate, at least 1.
fn whole(rate: f64) -> u32 {
    let whole = Duration::try_from_secs_f64(rate).map_or(0, |rate| rate.as_secs());
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}

fn add_row(run: &mut Run, workload: &str, rounds: &[Figures]) {
    let (workload, contender) = (workload.to_owned(), "Portcullis".to_owned());
    run.report.rows.push(Row { goal: "scale", workload, contender, figures: Figures::median(rounds) });
}

fn tell(run: &mut Run, (name, most): (&str, f64), rounds: &[Mixed]) {
    let (logins, refreshes): (Vec<_>, Vec<_>) = rounds.iter().map(|round| (round.logins, round.refreshes)).unzip();
    add_row(run, &format!("login, {name}"), &logins);
    add_row(run, &format!("refresh, {name}"), &refreshes);
    let all = |of: fn(&Mixed) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
    run.report.check(("scale", name), "CPU, of the model's", (all(|round| round.of_model), ""), AtMost(most));
    run.report.check(("scale", name), "CPU of PostgreSQL, of all", (all(|round| round.database), ""), AtMost(0.25));
}
