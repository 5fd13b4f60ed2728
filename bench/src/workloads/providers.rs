//! N6: CPU time of a sign-in with a provider, which is three requests: start, callback and the exchange of the code.
//! And the latency of refreshes while people sign in at a provider that hangs.

use super::purge::{A_SECOND, SESSIONS};
use crate::client::connection::Connection;
use crate::client::load::Client;
use crate::client::probes::{NEVER, Pace, probe};
use crate::client::provider::{Provider, ProviderLogin};
use crate::measure::{Contender, Figures};
use crate::report::Bound::AtMost;
use crate::report::Row;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target, chains};
use anyhow::{Result, anyhow, ensure};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const PORTCULLIS: &str = "Portcullis";
/// Milliseconds of CPU.
const MOST: f64 = 2.0;
const WORKLOADS: [(usize, &str); 2] =
    [(1, "sign-in with a provider, 1 client"), (16, "sign-in with a provider, 16 clients")];
/// Clients that sign in at a provider that hangs.
const PEOPLE: usize = 8;
/// Time after which a person goes on, so that the load is the same once the circuit is open.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    cpu(run)?;
    hanging(run)
}

/// Creates an empty database for a service with this provider.
fn place(run: &mut Run, provider: &Provider, label: &str) -> Result<Target> {
    let place = Target::empty(run, run.ours(), Storage::Sqlite, label)?;
    // Notices are switched off, since sending an email is not part of a login.
    let place = place.with("MAIL_NOTICES", "none");
    Ok(provider.settings().into_iter().fold(place, |place, (name, value)| place.with(name, value)))
}

fn cpu(run: &mut Run) -> Result<()> {
    let provider = Provider::start(false)?;
    let site = place(run, &provider, "providers")?.start(run)?;
    let window = run.window();
    for (count, name) in WORKLOADS {
        let mut clients: Vec<_> = (0..count).map(|number| -> Client { Box::new(ProviderLogin::new(number)) }).collect();
        let measure = || Ok(Figures::of(&site.drive(&mut clients, window)?)?.of_several(3.0));
        let compared = run.compare("N6", name, &mut [Contender::new(PORTCULLIS, measure)]);
        run.report.check(("N6", name), "CPU", (compared.get(PORTCULLIS, |f| f.cpu), "ms"), AtMost(MOST));
    }
    Ok(())
}

/// Measures refreshes alone and while the provider hangs, in turns. Each turn has its own process, because a circuit
/// stays open.
fn hanging(run: &mut Run) -> Result<()> {
    let provider = Provider::start(true)?;
    let place = place(run, &provider, "provider_hangs")?;
    let mut refreshes = chains(&place.sessions(run, SESSIONS)?);
    let (mut alone, mut during) = (Vec::new(), Vec::new());
    let name = format!("refresh, {A_SECOND}/s");
    eprintln!("       {name}, alone and while a provider hangs");
    for _ in 0..run.options.rounds.max(1) {
        let time = run.long_window().measured;
        alone.push(probed(&place.start(run)?, &mut refreshes, (time, 0))?);
        during.push(probed(&place.start(run)?, &mut refreshes, (time, PEOPLE))?);
        ensure!(provider.take_redeemed() >= PEOPLE, "the provider did not hang");
    }
    let figures = [("alone", alone), (&*format!("{PEOPLE} clients at a provider that hangs"), during)]
        .map(|(when, rounds)| (when.to_owned(), Figures::median(&rounds)));
    for (when, figures) in &figures {
        let (workload, contender) = (format!("{name}, {when}"), PORTCULLIS.to_owned());
        run.report.rows.push(Row { goal: "N6", workload, contender, figures: *figures });
    }
    let [(_, alone), (_, during)] = figures;
    let ratio = during.p99.zip(alone.p99).map(|(during, alone)| during / alone);
    run.report.check(("N6", &name), "p99 while a provider hangs, of alone", (ratio, ""), AtMost(1.25));
    Ok(())
}

/// Sends refreshes at a fixed pace for that time, while that many people sign in.
fn probed(site: &RunningTarget, refreshes: &mut [Client], (time, people): (Duration, usize)) -> Result<Figures> {
    let (address, stop) = (site.server.address, AtomicBool::new(false));
    let stop = &stop;
    thread::scope(|scope| {
        let people: Vec<_> = (0..people).map(|number| scope.spawn(move || sign_in(address, number, stop))).collect();
        // Their callbacks wait for the provider after that.
        thread::sleep(2 * PAUSE);
        let probed = probe(address, refreshes, Pace { a_second: A_SECOND, time, stop: &NEVER });
        stop.store(true, Ordering::Relaxed);
        for person in people {
            person.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        let probed = probed?;
        Ok(Figures::of_times(&probed.latencies, probed.shed))
    })
}

fn sign_in(address: SocketAddr, number: usize, stop: &AtomicBool) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let mut login = ProviderLogin::new(number);
    while !stop.load(Ordering::Relaxed) {
        connection.exchange(&mut login)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}
