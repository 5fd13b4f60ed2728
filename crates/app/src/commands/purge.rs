//! `portcullis purge`, and the background purge of `serve`: deletes the rows of expired refresh tokens and
//! old sessions, a few at a time.

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
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The first purge starts at a random time within `1 / JITTER` of the interval, so that replicas that
/// start together do not purge together.
const JITTER: u32 = 10;
/// Maximum number of accounts named in one line.
const MAX_NAMED: usize = 100;

/// Deletes all dead rows and prints their number.
pub(crate) fn purge() -> anyhow::Result<()> {
    let settings = without_keys()?;
    let parts = super::open_ready(&settings)?;
    let mut progress = Progress::new("Deleted");
    let start = parts.clock.monotonic();
    let purged = use_case(&settings, &parts).run(&mut |step| progress.after(step))?;
    let seconds = parts.clock.monotonic().saturating_sub(start).as_secs_f64();
    let rows = purged.rows;
    progress.end(format_args!("Deleted {rows} rows of dead refresh tokens and old sessions in {seconds:.1} s."))?;
    if !purged.tombstones.is_empty() {
        let (count, named) = (purged.tombstones.len(), named(&purged.tombstones));
        let stay = "deleted accounts stay as empty rows, because other tables refer to them";
        writeln!(io::stdout(), "{count} {stay}: {}", escape_for_terminal(&named))?;
    }
    Ok(())
}

fn use_case(settings: &WithoutKeys, parts: &AppContext) -> Purge {
    Purge {
        store: parts.database.store.clone(),
        retention: Retention::default(),
        sessions: settings.sessions,
        clock: parts.clock.clone(),
    }
}

/// Purges once per interval until dropped. A running step is finished first.
pub(crate) struct PurgeThread {
    _stop: Option<Sender<()>>,
}

impl PurgeThread {
    /// Starts the purge thread, if the settings enable it.
    pub(crate) fn start(settings: &WithoutKeys, parts: &AppContext) -> io::Result<Self> {
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
        Ok(_) => tracing::debug!(target: "app", seconds, "No dead refresh tokens or sessions found"),
        Err(error) => tracing::warn!(target: "app", %error, "Purge failed and will be retried"),
    }
}

/// Names up to [`MAX_NAMED`] accounts, each with the table that refers to it.
fn named(tombstones: &[Tombstone]) -> String {
    let named: Vec<_> = tombstones.iter().take(MAX_NAMED).map(Tombstone::to_string).collect();
    let more = if tombstones.len() > MAX_NAMED { ", …" } else { "" };
    named.join(", ") + more
}

/// Waits. Returns `false` if the thread is to stop.
fn wait_or_stop(stopped: &Receiver<()>, wait: Duration) -> bool {
    matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
}
