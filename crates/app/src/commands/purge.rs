//! `portcullis purge`, and what `serve` does of it in the background: the rows of refresh tokens
//! that can no longer be shown, and of sessions that are no longer kept, are deleted, a few at a
//! time.

use super::console::escape_for_terminal;
use super::progress::{Progress, pause_after};
use super::without_keys;
use crate::settings::WithoutKeys;
use crate::system::OsEntropy;
use crate::wire::AppContext;
use portcullis_domain::maintenance::Retention;
use portcullis_ports::EntropyExt;
use portcullis_usecases::maintenance::{Purge, Tombstone};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The first purge comes within this part of the interval, so that replicas that start together
/// do not purge together.
const JITTER: u32 = 10;
/// Accounts that one line names at most.
const MAX_NAMED: usize = 100;

/// Deletes all dead rows, and tells how many there were.
pub(crate) fn purge() -> anyhow::Result<ExitCode> {
    let settings = without_keys()?;
    let parts = super::open_ready(&settings)?;
    let mut progress = Progress::new();
    let start = parts.clock.monotonic();
    let purged = use_case(&settings, &parts).run(&mut |step| progress.after(step))?;
    let seconds = parts.clock.monotonic().saturating_sub(start).as_secs_f64();
    let rows = purged.rows;
    progress.end(format_args!("{rows} rows of dead refresh tokens and sessions deleted in {seconds:.1} s"))?;
    if !purged.tombstones.is_empty() {
        let (count, named) = (purged.tombstones.len(), named(&purged.tombstones));
        let stay = "deleted accounts stay as empty rows, because other tables refer to them";
        writeln!(io::stdout(), "{count} {stay}: {}", escape_for_terminal(&named))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn use_case(settings: &WithoutKeys, parts: &AppContext) -> Purge {
    Purge {
        store: parts.database.store.clone(),
        retention: Retention::default(),
        sessions: settings.sessions,
        clock: parts.clock.clone(),
    }
}

/// Purges once in an interval until dropped; a step that is under way is finished then.
pub(super) struct PurgeThread {
    _stop: Option<Sender<()>>,
}

impl PurgeThread {
    /// Starts a thread for it, if the settings want it.
    pub(super) fn start(settings: &WithoutKeys, parts: &AppContext) -> io::Result<Self> {
        let Some(interval) = settings.database.purge_interval else { return Ok(Self { _stop: None }) };
        let (stop, stopped) = channel();
        let (verb, random) = (use_case(settings, parts), u32::from_le_bytes(OsEntropy.array()));
        let first = (interval / JITTER).mul_f64(f64::from(random) / f64::from(u32::MAX));
        std::thread::Builder::new().name("purge".to_owned()).spawn(move || {
            let mut wait = first;
            while wait_or_stop(&stopped, wait) {
                once(&verb, &stopped);
                wait = interval;
            }
        })?;
        Ok(Self { _stop: Some(stop) })
    }
}

fn once(verb: &Purge, stopped: &Receiver<()>) {
    let start = verb.clock.monotonic();
    let outcome = verb.run(&mut |step| wait_or_stop(stopped, pause_after(step)));
    let seconds = verb.clock.monotonic().saturating_sub(start).as_secs();
    if let Ok(purged) = &outcome
        && !purged.tombstones.is_empty()
    {
        let (accounts, user_ids) = (purged.tombstones.len(), named(&purged.tombstones));
        let message = "Deleted accounts stay as empty rows: other tables refer to them";
        tracing::warn!(target: "app", accounts, user_ids, "{message}");
    }
    match outcome {
        Ok(purged) if purged.rows > 0 => {
            tracing::info!(target: "app", rows = purged.rows, seconds, "Dead refresh tokens and sessions purged");
        }
        Ok(_) => tracing::debug!(target: "app", seconds, "No dead refresh tokens and no dead sessions"),
        Err(error) => tracing::warn!(target: "app", %error, "Purging stopped, and will be tried again"),
    }
}

/// Names the accounts, each with the table that refers to it; not more than a line holds.
fn named(tombstones: &[Tombstone]) -> String {
    let named: Vec<_> = tombstones.iter().take(MAX_NAMED).map(Tombstone::to_string).collect();
    let more = if tombstones.len() > MAX_NAMED { ", …" } else { "" };
    named.join(", ") + more
}

/// Backoff; whether nobody said stop meanwhile.
fn wait_or_stop(stopped: &Receiver<()>, wait: Duration) -> bool {
    matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
}
