//! What commands that delete many rows have in common: each step is followed by a rest, and a
//! terminal is told how far they are.

use portcullis_usecases::maintenance::PurgeStep;
use std::fmt::Arguments;
use std::io::{self, IsTerminal, Stdout, Write};
use std::time::Duration;

/// A rest is this many times as long as the step before it: a service may be at work on the database.
const PAUSE_FACTOR: u32 = 4;
/// A line on a terminal is written over once in so many steps.
const PRINT_EVERY: u32 = 32;

/// How long to rest after a step.
pub(super) fn pause_after(step: PurgeStep) -> Duration {
    step.took.saturating_mul(PAUSE_FACTOR)
}

/// Tells on standard output what is done.
pub(super) struct Progress {
    out: Stdout,
    steps: u32,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { out: io::stdout(), steps: 0 }
    }

    /// Tells of a step, rests, and has the next one come.
    pub(super) fn after(&mut self, step: PurgeStep) -> bool {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(PRINT_EVERY) && self.out.is_terminal() {
            write!(self.out, "\r{} rows deleted", step.rows).and_then(|()| self.out.flush()).ok();
        }
        super::pause(pause_after(step));
        true
    }

    /// Writes what came of it, over what was told before.
    pub(super) fn end(mut self, line: Arguments<'_>) -> io::Result<()> {
        let back = if self.out.is_terminal() { "\r" } else { "" };
        writeln!(self.out, "{back}{line}")
    }
}
