//! G12: a purge of 250,000 expired tokens among five million while refreshes are served. Measures how
//! much longer they take, and the longest wait.

use crate::client::probes::{NEVER, Pace, Probed, probe, probe_during};
use crate::large::Large;
use crate::measure::{Figures, milliseconds};
use crate::report::Bound::AtMost;
use crate::report::Row;
use crate::run::Run;
use crate::target::{Storage, chains};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

pub(super) const A_SECOND: u32 = 100;
/// Chains that alternate in sending the probes.
pub(super) const SESSIONS: usize = 16;
/// Maximum duration of the probes during a purge.
const TIMEOUT: Duration = Duration::from_mins(10);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for storage in Storage::BOTH {
        let large = Large::copy(run, storage)?;
        let expired = large.expired()?;
        // Disables the service's own purge, which would run during the idle measurement.
        let place = large.place.with("PURGE_INTERVAL_MINUTES", 0);
        let mut clients = chains(&place.sessions(run, SESSIONS)?);
        let site = place.start(run)?;
        let address = site.server.address;
        let pace = Pace { a_second: A_SECOND, time: run.long_window().measured, stop: &NEVER };
        let idle = probe(address, &mut clients, pace)?;
        let (pace, started) = (Pace { time: TIMEOUT, ..pace }, Instant::now());
        let busy = probe_during(address, &mut clients, pace, || place.command(&["purge"]))?;
        let elapsed = started.elapsed();
        let left = large.expired()?;
        ensure!(left == 0, "{left} of {expired} expired tokens are left");
        eprintln!("       {}: {expired} tokens purged in {:.1} s", storage.name(), elapsed.as_secs_f64());
        tell(run, ("G12", &format!("refresh, {A_SECOND}/s, large {} database", storage.name())), 4.0, &idle, &busy);
    }
    Ok(())
}

/// Reports the latency of refreshes, idle and during a purge. `most` is the maximum ratio of the p99.
pub(super) fn tell(run: &mut Run, of: (&'static str, &str), most: f64, idle: &Probed, busy: &Probed) {
    let (goal, name) = of;
    let [idle_figures, busy_figures] = [idle, busy].map(|probed| Figures::of_times(&probed.latencies, probed.shed));
    for (when, figures) in [("idle", idle_figures), ("during a purge", busy_figures)] {
        let (workload, contender) = (format!("{name}, {when}"), "Portcullis".to_owned());
        run.report.rows.push(Row { goal, workload, contender, figures });
    }
    let ratio = busy_figures.p99.zip(idle_figures.p99).map(|(busy, idle)| busy / idle);
    run.report.check((goal, name), "p99 during a purge, of idle", (ratio, ""), AtMost(most));
    let longest = busy.latencies.iter().max().copied().map(milliseconds);
    run.report.check((goal, name), "longest during a purge", (longest, "ms"), AtMost(50.0));
}
