//! Logging: one event a line on stdout, as a flat JSON object or, on a terminal, as text for people.
//! Whoever logs formats a line and leaves it to a queue; it never waits for the reader, and a reader
//! that has gone harms nobody.
//! What is logged, and that it holds no secret, is left to those who log.

mod fields;
pub(crate) mod json;
mod layer;
mod level;
mod queue;
pub(crate) mod text;
mod writer;

use crate::settings::{Format, Logging};
use crate::system;
use layer::{Lines, Style};
use level::LogFilter;
use portcullis_ports::Clock;
use portcullis_telemetry::TraceLayer;
use queue::{BATCH_INTERVAL, CAPACITY, LogQueue};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use text::Colours;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use writer::Writer;

/// How long the end of the program waits for the last lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// How long a panic waits for its line to be written.
const PANIC_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Keeps the log going. When dropped it has the rest written, for one second at most.
#[derive(Debug)]
#[must_use = "the log ends when the guard is dropped"]
pub(crate) struct LogGuard {
    queue: Arc<LogQueue>,
}

impl LogGuard {
    /// What tells how many lines were dropped since the start: those that the reader was too slow
    /// for, and those that could not be written.
    pub(crate) fn dropped_lines(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.dropped()
    }

    /// Has every panic told in the log, with the request that it happened in, and nowhere else. It
    /// is written before anything else happens: what cannot be unwound ends the process.
    pub(crate) fn install_panic_hook(&self) {
        let queue = Arc::clone(&self.queue);
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            let cause = panic.payload_as_str().unwrap_or("a panic without words");
            tracing::error!(target: "app.errors", cause, place, "A panic");
            let _ = queue.flush(PANIC_FLUSH_TIMEOUT);
        }));
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.queue.close(FLUSH);
    }
}

/// Logs to stdout from here on, for the whole process, and has spans watched by whoever traces.
///
/// # Errors
/// When stdout or a thread cannot be had, or when something else logs already.
pub(crate) fn init(logging: &Logging, clock: Arc<dyn Clock>, traces: Option<TraceLayer>) -> io::Result<LogGuard> {
    // Not through the standard handle: its lock would be held over a write that blocks.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let style = style(logging.format, stdout.is_terminal(), system::wants_colours());
    let watched = LogFilter { level: logging.level, traced: traces.is_some() };
    let (subscriber, guard) = start(stdout, (watched, style), clock, CAPACITY)?;
    match traces {
        Some(traces) => tracing::subscriber::set_global_default(subscriber.with(traces)),
        None => tracing::subscriber::set_global_default(subscriber),
    }
    .map_err(io::Error::other)?;
    Ok(guard)
}

/// Returns how lines are written, on a terminal or elsewhere. A file never gets colours.
fn style(format: Format, terminal: bool, colours: bool) -> Style {
    match (format, terminal) {
        (Format::Json, _) | (Format::Auto, false) => Style::Json,
        (Format::Text, _) | (Format::Auto, true) => Style::Text(Colours(terminal && colours)),
    }
}

fn start(
    out: impl Write + Send + 'static,
    (watched, style): (LogFilter, Style),
    clock: Arc<dyn Clock>,
    capacity: usize,
) -> io::Result<(impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync, LogGuard)> {
    let queue = Arc::new(LogQueue::new(capacity, BATCH_INTERVAL));
    let writer = Writer::new(out, style, Arc::clone(&clock), Arc::clone(&queue));
    std::thread::Builder::new().name("log-writer".to_owned()).spawn(|| writer.run())?;
    let layer = Lines { watched, style, clock, queue: Arc::clone(&queue) };
    Ok((tracing_subscriber::registry().with(layer), LogGuard { queue }))
}

#[cfg(test)]
mod tests;
