//! Mixed load for minutes, on both databases at once. Checks that memory stays flat.

use super::hashing::logins;
use crate::client::accounts::{email, log_in, register};
use crate::client::connection::Connection;
use crate::client::flows::{Get, Refresh, Register, Session};
use crate::client::load::{Client, Window};
use crate::measure::number;
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target};
use anyhow::{Context, Result, anyhow};
use std::thread;
use std::time::Duration;

const SESSIONS: usize = 16;
/// The lowest cost that operators may choose: hashing leaves the CPU to code that allocates more.
const COST: u32 = 10;
/// Access-token lifetime in minutes, longer than any soak: some clients use one token throughout.
const LIFETIME: u32 = 43_200;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let minutes = run.options.soak.context("--soak needs a number of minutes")?;
    let mut sites = Vec::new();
    for storage in Storage::BOTH {
        let label = format!("soak_{}", storage.name().to_lowercase());
        let place = Target::empty(run, run.ours(), storage, &label)?.with_cost(COST);
        let site = place.with("ACCESS_TOKEN_EXPIRE_MINUTES", LIFETIME).start(run)?;
        register(site.server.address, SESSIONS)?;
        sites.push((storage, site));
    }
    let minute = if run.options.smoke { run.options.window() } else { Duration::from_mins(1) };
    let all = thread::scope(|scope| {
        let threads: Vec<_> = sites
            .iter()
            .map(|(storage, site)| scope.spawn(move || soak(storage.name(), site, minutes, minute)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a soak panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    for ((storage, _), resident) in sites.iter().zip(all) {
        let early = resident.get(1).or(resident.first()).copied();
        let ratio = early.zip(resident.last().copied()).map(|(early, last)| last / early);
        let name = format!("mixed load, {}", storage.name());
        run.report.check(
            ("memory", &name),
            &format!("resident at minute {minutes}, of minute 2"),
            (ratio, ""),
            AtMost(1.05),
        );
    }
    Ok(())
}

/// Returns the resident memory in MiB at the end of each minute.
fn soak(name: &str, site: &RunningTarget, minutes: u32, minute: Duration) -> Result<Vec<f64>> {
    let mut clients = mixed(site)?;
    let mut resident = Vec::new();
    for at in 1..=minutes {
        let sample = site.drive(&mut clients, Window { warm_up: Duration::ZERO, measured: minute })?;
        let mebibytes = number(usize::try_from(site.resident()? / 1024)?) / 1024.0;
        let rate = number(sample.latencies.len()) / sample.elapsed.as_secs_f64();
        eprintln!("       {name}, minute {at}: {mebibytes:.1} MiB, {rate:.0} responses/s, {} shed", sample.shed);
        resident.push(mebibytes);
    }
    Ok(resident)
}

fn mixed(site: &RunningTarget) -> Result<Vec<Client>> {
    let mut connection = Connection::open(site.server.address)?;
    let sessions: Vec<Session> =
        (0..SESSIONS).map(|number| log_in(&mut connection, &email(number))).collect::<Result<_>>()?;
    let next = std::sync::Arc::default();
    // A disk that stalls for seconds leaves a refresh without a response. These clients retry it.
    let mut clients: Vec<Client> =
        sessions.iter().map(|session| -> Client { Box::new(Refresh::retryable(session)) }).collect();
    clients.extend(logins(4));
    clients.extend((0..2).map(|_| -> Client { Box::new(Register::new(&next)) }));
    clients
        .extend(sessions.iter().take(4).map(|session| -> Client { Box::new(Get::new("/auth/me", &session.access)) }));
    clients.extend((0..2).map(|_| -> Client { Box::new(Get::new("/health", "")) }));
    Ok(clients)
}
