//! Socket with deadlines, so that a slow server cannot block a delivery. Every read and write ends at
//! the deadline of its step or of the whole delivery.

use parking_lot::Mutex;
use portcullis_ports::Clock;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Deadlines of a delivery and of its current step, by the monotonic clock.
pub(crate) struct Deadline {
    clock: Arc<dyn Clock>,
    moments: Mutex<Deadlines>,
}

#[derive(Clone, Copy)]
struct Deadlines {
    whole: Duration,
    step: Duration,
}

impl Deadline {
    /// Creates a deadline for the whole delivery, starting now.
    pub(crate) fn new(clock: Arc<dyn Clock>, whole: Duration) -> Self {
        let end = clock.monotonic().saturating_add(whole);
        Self { clock, moments: Mutex::new(Deadlines { whole: end, step: end }) }
    }

    /// Restarts the deadline for the next delivery.
    pub(crate) fn restart(&self, whole: Duration) {
        let end = self.clock.monotonic().saturating_add(whole);
        *self.moments.lock() = Deadlines { whole: end, step: end };
    }

    /// Sets the deadline of the next step. It never exceeds that of the whole delivery.
    pub(crate) fn step(&self, limit: Duration) {
        let end = self.clock.monotonic().saturating_add(limit);
        let mut moments = self.moments.lock();
        moments.step = end.min(moments.whole);
    }

    /// Returns the time left for the step.
    pub(crate) fn left(&self) -> io::Result<Duration> {
        let left = self.moments.lock().step.saturating_sub(self.clock.monotonic());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// Connection that enforces a deadline.
pub(crate) struct DeadlineSocket {
    pub(crate) socket: TcpStream,
    pub(crate) deadline: Arc<Deadline>,
}

impl Read for DeadlineSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.deadline.left()?))?;
        in_time(self.socket.read(buffer))
    }
}

impl Write for DeadlineSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.deadline.left()?))?;
        in_time(self.socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Turns the error of a socket timeout (`WouldBlock`) into `TimedOut`, since the TLS library would
/// retry.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error })
}
