//! G10: resident memory when idle, after many sessions and in a login storm, and the size of the
//! binary.

use super::hashing::logins;
use crate::client::accounts::sessions;
use crate::measure::number;
use crate::report::Bound::AtMost;
use crate::run::Run;
use crate::target::{RunningTarget, Storage, Target};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SESSIONS: usize = 10_000;
const STORM: usize = 256;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let size = std::fs::metadata(&run.programs.portcullis)?.len();
    let megabytes = number(usize::try_from(size)?) / 1e6;
    run.report.check(("G10", "the binary"), "size", (Some(megabytes), "MB"), AtMost(32.0));
    let program = run.ours();
    let place = Target::empty(run, program, Storage::Sqlite, "memory")?;
    let site = place.start(run)?;
    thread::sleep(run.options.window().min(Duration::from_secs(2)));
    told(run, "idle", site.resident()?, 24.0);
    drop(site);
    let busy = place.with_cost(4).start(run)?;
    let count = if run.options.smoke { 100 } else { SESSIONS };
    sessions(busy.server.address, count)?;
    told(run, &format!("after {count} sessions"), busy.resident()?, 34.0);
    drop(busy);
    let stormed = Target::empty(run, run.ours(), Storage::Sqlite, "memory_storm")?.start_with_accounts(run, 16)?;
    let most = highest_during(&stormed, || stormed.drive(&mut logins(STORM), run.long_window()).map(drop))?;
    told(run, &format!("in a storm of {STORM} logins"), most, 34.0);
    Ok(())
}

fn told(run: &mut Run, when: &str, bytes: u64, most: f64) {
    let mebibytes = number(usize::try_from(bytes / 1024).unwrap_or(usize::MAX)) / 1024.0;
    run.report.check(("G10", "resident memory"), when, (Some(mebibytes), "MiB"), AtMost(most));
}

/// Returns the highest resident memory while the work runs.
fn highest_during(site: &RunningTarget, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = &site.server;
        let sampler = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(server.resident().unwrap_or(0));
                thread::sleep(Duration::from_millis(50));
            }
            most
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let most = sampler.join().unwrap_or(0);
        worked.map(|()| most)
    })
}
