//! A socket on which nothing takes longer than it may, however slowly the other side drips: each
//! read and write ends when the time of its step is over, or that of the whole.

use portcullis_ports::Clock;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Until when, by the monotonic clock.
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
    /// Everything is over that long from now.
    pub(crate) fn new(clock: Arc<dyn Clock>, whole: Duration) -> Self {
        let end = clock.monotonic().saturating_add(whole);
        Self { clock, moments: Mutex::new(Deadlines { whole: end, step: end }) }
    }

    /// The same, for what begins now.
    pub(crate) fn restart(&self, whole: Duration) {
        let end = self.clock.monotonic().saturating_add(whole);
        *self.lock() = Deadlines { whole: end, step: end };
    }

    /// The next step is over that long from now, and with the whole at the latest.
    pub(crate) fn step(&self, limit: Duration) {
        let end = self.clock.monotonic().saturating_add(limit);
        let mut moments = self.lock();
        moments.step = end.min(moments.whole);
    }

    /// What is left of the step.
    pub(crate) fn left(&self) -> io::Result<Duration> {
        let left = self.lock().step.saturating_sub(self.clock.monotonic());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Deadlines> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that keeps to a deadline.
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

/// A socket's own time limit says that it would block, which TLS takes for an invitation to try
/// again.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error })
}
