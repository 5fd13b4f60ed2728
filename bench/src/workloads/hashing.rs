//! Password hashing: login storms, single logins, registrations. The baseline is raw bcrypt at the same
//! cost.

use super::baselines::RawBcrypt;
use crate::client::accounts::email;
use crate::client::flows::{Login, Register};
use crate::client::load::Client;
use crate::measure::{Contender, Figures};
use crate::report::Bound::{AtLeast, AtMost};
use crate::run::{Compared, Run};
use crate::target::{RunningTarget, Storage, Target};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

const ACCOUNTS: usize = 16;
const RAW: &str = "raw bcrypt, all cores";
const RAW_ALONE: &str = "raw bcrypt, one by one";

/// G1: many clients log in at once.
pub(super) fn storm(run: &mut Run) -> Result<()> {
    let sites = sites(run, "storm", ACCOUNTS)?;
    let raw = RawBcrypt::on_all_cores(run);
    for (clients, rate_bound) in [(16, 0.75), (64, 0.9)] {
        let name = format!("login, {clients} clients");
        let compared = compare(run, "G1", &name, (&sites, &|| logins(clients)), (RAW, &raw));
        let (rate, cpu) = (compared.ratio(RAW, |f| f.rate), compared.ratio(RAW, |f| f.cpu));
        run.report.check(("G1", &name), "rate, of raw bcrypt's", (rate, ""), AtLeast(rate_bound));
        run.report.check(("G1", &name), "CPU, of raw bcrypt's", (cpu, ""), AtMost(1.15));
    }
    raw.map(drop)
}

/// G2: one client logs in repeatedly.
pub(super) fn one_login(run: &mut Run) -> Result<()> {
    let sites = sites(run, "login", 1)?;
    let raw = RawBcrypt::alone(run);
    let name = "login, 1 client";
    let compared = compare(run, "G2", name, (&sites, &|| logins(1)), (RAW_ALONE, &raw));
    let (cpu, median) = (compared.ratio("peer", |f| f.cpu), compared.ratio("peer", |f| f.p50));
    run.report.check(("G2", name), "CPU, of the peer's", (cpu, ""), AtMost(1.02));
    run.report.check(("G2", name), "median, of the peer's", (median, ""), AtMost(1.02));
    raw.map(drop)
}

/// G3: many clients register.
pub(super) fn register(run: &mut Run) -> Result<()> {
    let sites = sites(run, "register", 0)?;
    let (name, next) = ("register, 16 clients", Arc::new(AtomicU64::new(0)));
    let clients = || (0..16).map(|_| -> Client { Box::new(Register::new(&next)) }).collect();
    let raw = RawBcrypt::on_all_cores(run);
    let compared = compare(run, "G3", name, (&sites, &clients), (RAW, &raw));
    let cpu = compared.ratio(RAW, |f| f.cpu);
    // 1.2 times the bound of a login.
    run.report.check(("G3", name), "CPU, of raw bcrypt's", (cpu, ""), AtMost(1.38));
    raw.map(drop)
}

/// Running services by name.
type Sites = Vec<(&'static str, RunningTarget)>;

/// Starts each service on SQLite, with accounts.
fn sites(run: &mut Run, label: &str, accounts: usize) -> Result<Sites> {
    let mut sites = Vec::new();
    for program in run.services() {
        let name = program.name();
        let place = Target::empty(run, program, Storage::Sqlite, label)?;
        sites.push((name, place.start_with_accounts(run, accounts)?));
    }
    Ok(sites)
}

/// Creates clients that log in. Each shares its account with few others.
pub(super) fn logins(clients: usize) -> Vec<Client> {
    (0..clients).map(|number| -> Client { Box::new(Login::new(&email(number % ACCOUNTS))) }).collect()
}

/// Measures the services and raw bcrypt alternately.
fn compare(
    run: &mut Run,
    goal: &'static str,
    workload: &str,
    (sites, clients): (&Sites, &dyn Fn() -> Vec<Client>),
    (limit, raw): (&str, &Result<RawBcrypt>),
) -> Compared {
    let window = run.long_window();
    let mut contenders: Vec<_> = sites
        .iter()
        .map(|(name, site)| Contender::new(*name, move || Figures::of(&site.drive(&mut clients(), window)?)))
        .collect();
    if let Ok(raw) = raw {
        contenders.insert(1, Contender::new(limit, || raw.measure(window.measured)));
    }
    run.compare(goal, workload, &mut contenders)
}
