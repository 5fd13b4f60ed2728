//! Progress of commands that change many rows: pauses after each step and prints the count on a terminal.

use portcullis_usecases::maintenance::BatchStep;
use std::fmt::Arguments;
use std::io::{self, IsTerminal, Stdout, Write};
use std::time::Duration;

/// Length of a pause as a multiple of the step before it. Leaves the database to a running service.
const PAUSE_FACTOR: u32 = 4;
/// Number of steps between two updates of the line on the terminal.
const PRINT_EVERY: u32 = 32;

/// Returns the pause after a step.
pub(super) fn pause_after(step: BatchStep) -> Duration {
    step.took.saturating_mul(PAUSE_FACTOR)
}

/// Progress on standard output.
pub(super) struct Progress {
    out: Stdout,
    done: &'static str,
    steps: u32,
}

impl Progress {
    /// Creates the progress of rows to which `done` happens, such as "Deleted".
    pub(super) fn new(done: &'static str) -> Self {
        Self { out: io::stdout(), done, steps: 0 }
    }

    /// Prints a step and pauses. Returns `true`: the next step may run.
    pub(super) fn after(&mut self, step: BatchStep) -> bool {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(PRINT_EVERY) && self.out.is_terminal() {
            write!(self.out, "\r{} {} rows", self.done, step.rows).and_then(|()| self.out.flush()).ok();
        }
        super::pause(pause_after(step));
        true
    }

    /// Prints the result over the progress line.
    pub(super) fn end(mut self, line: Arguments<'_>) -> io::Result<()> {
        let back = if self.out.is_terminal() { "\r" } else { "" };
        writeln!(self.out, "{back}{line}")
    }
}
