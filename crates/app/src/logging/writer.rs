//! The thread that writes queued lines, many per call. Lines that cannot be written are counted and
//! reported once writing works again. A closed stdout costs one failed call per block.

use super::layer::{self, Style};
use super::queue::{Batch, LogQueue};
use portcullis_ports::Clock;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

/// Pause before the next write to a full non-blocking pipe.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes what the queue holds.
pub(super) struct Writer<W> {
    out: W,
    style: Style,
    clock: Arc<dyn Clock>,
    queue: Arc<LogQueue>,
    /// Dropped or lost lines that are not yet reported.
    untold: u64,
    /// True if the last line was cut off.
    torn: bool,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, style: Style, clock: Arc<dyn Clock>, queue: Arc<LogQueue>) -> Self {
        Self { out, style, clock, queue, untold: 0, torn: false }
    }

    /// Writes until the queue is closed.
    pub(super) fn run(mut self) {
        let mut blocks = Vec::new();
        loop {
            let Batch { dropped, last } = self.queue.take(&mut blocks);
            self.untold += dropped;
            for lines in &blocks {
                if let Err(lost) = self.write(lines) {
                    self.untold += lost;
                    self.queue.count_lost(lost);
                }
            }
            if self.untold > 0 {
                self.tell();
            }
            if last {
                return self.queue.ended();
            }
        }
    }

    /// Writes how many lines are missing. If that fails too, the next batch tries again.
    fn tell(&mut self) {
        let mut line = Vec::new();
        layer::dropped_line(&mut line, self.style, self.clock.now(), self.untold);
        if self.write(&line).is_ok() {
            self.untold = 0;
        }
    }

    /// Writes whole lines, or returns how many are lost.
    fn write(&mut self, lines: &[u8]) -> Result<(), u64> {
        if self.torn {
            self.write_bytes(b"\n").map_err(|_| newlines(lines))?;
            self.torn = false;
        }
        self.write_bytes(lines).map_err(|rest| {
            self.torn = rest.len() < lines.len() && !lines.strip_suffix(rest).is_some_and(|done| done.ends_with(b"\n"));
            newlines(rest)
        })
    }

    /// Writes all bytes, or returns the rest.
    fn write_bytes<'a>(&mut self, mut bytes: &'a [u8]) -> Result<(), &'a [u8]> {
        while !bytes.is_empty() {
            match self.out.write(bytes) {
                Ok(0) => return Err(bytes),
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::park_timeout(PAUSE),
                Err(_) => return Err(bytes),
            }
        }
        Ok(())
    }
}

fn newlines(lines: &[u8]) -> u64 {
    lines.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}
