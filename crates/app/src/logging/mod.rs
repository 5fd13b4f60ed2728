//! Logging: one event per line on stdout, as a flat JSON object or, on a terminal, as readable text.
//! The thread that logs formats the line and queues it. It never waits for the reader of stdout, and a
//! closed stdout is harmless. Callers must not log secrets: nothing is filtered here.

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
use portcullis_telemetry::Exporter;
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

/// Maximum wait for the last lines at shutdown.
const FLUSH: Duration = Duration::from_secs(1);

/// Maximum wait of a panic for its log line.
const PANIC_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Guard of the log. When dropped, it flushes the queue for up to 1 s.
#[derive(Debug)]
#[must_use = "the log ends when the guard is dropped"]
pub(crate) struct LogGuard {
    queue: Arc<LogQueue>,
}

impl LogGuard {
    /// Returns a function that returns the number of lines dropped since the start, because the reader
    /// was too slow or the write failed.
    pub(crate) fn dropped_lines(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.dropped()
    }

    /// Installs a panic hook that logs every panic with its request, and prints nothing to stderr. The
    /// hook flushes the line at once, because a panic that cannot unwind aborts the process.
    pub(crate) fn install_panic_hook(&self) {
        let queue = Arc::clone(&self.queue);
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            let cause = panic.payload_as_str().unwrap_or("panic without a message");
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

/// Starts logging to stdout for the whole process, and passes spans to `traces`.
///
/// # Errors
/// If stdout cannot be duplicated, the thread cannot start, or a global subscriber is already set.
pub(crate) fn init(logging: &Logging, clock: Arc<dyn Clock>, traces: Option<&Exporter>) -> io::Result<LogGuard> {
    // Not `io::stdout()`: a blocked write would hold its lock.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let style = style(logging.format, stdout.is_terminal(), system::wants_colours());
    let watched = LogFilter { level: logging.level, traced: traces.is_some() };
    let (subscriber, guard) = start(stdout, (watched, style), clock, CAPACITY)?;
    match traces {
        Some(traces) => tracing::subscriber::set_global_default(subscriber.with(traces.layer())),
        None => tracing::subscriber::set_global_default(subscriber),
    }
    .map_err(io::Error::other)?;
    Ok(guard)
}

/// Returns the style of log lines. Only terminals get colors.
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
