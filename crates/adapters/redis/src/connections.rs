//! Connection pool for Redis. A dedicated thread opens and checks the connections, so callers never
//! wait for name resolution, a handshake, or a server that accepts connections but does not respond.
//! A server that takes no writes is lost, too: the pool has no connection to it.

use crate::RedisUrl;
use crate::opener::Opener;
use crate::refusal;
use parking_lot::{Condvar, Mutex};
use portcullis_ports::Clock;
use redis::{Connection, RedisResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Number of connections: enough for the calls that two busy cores run at once.
const CONNECTIONS: usize = 8;
/// Maximum duration of a call, including the wait for a connection. Most of it is network time: a
/// script runs for microseconds.
const CALL: Duration = Duration::from_millis(40);
/// Interval at which the thread checks a complete pool.
const IDLE_CHECK: Duration = Duration::from_millis(500);

/// Connection pool of a server. Clones share its connections. Dropping the last clone stops the thread.
#[derive(Clone)]
pub struct RedisPool {
    handle: Arc<Handle>,
    call: Duration,
}

/// Handle that stops the thread when dropped. All clones of the pool share it; the thread has none.
struct Handle(Arc<Shared>);

/// State that callers share with the thread.
struct Shared {
    state: Mutex<State>,
    /// Notified when a connection is returned or lost.
    changed: Condvar,
    /// Number of failed calls.
    failures: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Number of idle and used connections of this generation.
    live: usize,
    /// Incremented when the server is lost, which invalidates all earlier connections.
    generation: u64,
    /// Error of the last failed call or connection attempt.
    fault: Option<CallError>,
    over: bool,
}

/// Error text for logs.
pub(crate) type CallError = String;

impl RedisPool {
    /// Creates a pool. Tries to connect once before returning, so that an available server is used from
    /// the first call on. Otherwise the thread keeps trying in the background.
    ///
    /// # Errors
    /// Returns the error of the operating system if it cannot start a thread.
    pub fn connect(url: &RedisUrl, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let opener = Opener::new(url);
        let (failures, changed) = (AtomicU64::new(0), Condvar::new());
        let shared = Arc::new(Shared { state: Mutex::default(), changed, failures, clock });
        match opener.open() {
            Ok(connection) => shared.add(connection, 0),
            Err(fault) => shared.remember(&fault),
        }
        let keeper = Arc::clone(&shared);
        thread::Builder::new().name("redis".to_owned()).spawn(move || keep(&keeper, &opener))?;
        Ok(Self { handle: Arc::new(Handle(shared)), call: CALL })
    }

    /// Sets the timeout of a call. The default is 40 ms.
    #[must_use]
    pub fn with_call_timeout(self, call: Duration) -> Self {
        Self { call, ..self }
    }

    /// Returns the error of the last failed call or connection attempt, for operators. It contains
    /// nothing that was sent.
    #[must_use]
    pub fn last_fault(&self) -> Option<String> {
        self.handle.0.state.lock().fault.clone()
    }

    /// Returns the number of failed calls, including those without a connection.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.handle.0.failures.load(Ordering::Relaxed)
    }

    /// Runs one call on a connection, within the call timeout.
    pub(crate) fn call<T>(&self, call: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, CallError> {
        let outcome = self.try_call(call);
        if outcome.is_err() {
            self.handle.0.failures.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn try_call<T>(&self, call: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, CallError> {
        let shared = &*self.handle.0;
        let end = shared.clock.monotonic().saturating_add(self.call);
        let (mut connection, generation) = shared.take(end).ok_or("no connection")?;
        let rest = end.saturating_sub(shared.clock.monotonic()).max(Duration::from_millis(1));
        let timed = connection.set_read_timeout(Some(rest)).and_then(|()| connection.set_write_timeout(Some(rest)));
        match timed.and_then(|()| call(&mut connection)) {
            Ok(value) => {
                shared.give_back(connection, generation);
                Ok(value)
            }
            Err(error) => {
                let fault = refusal::describe(&error);
                shared.remember(&fault);
                if error.code().is_some() && !error.is_io_error() && !refusal::is_loss(&error) {
                    // The server replied, so the connection is still usable.
                    shared.give_back(connection, generation);
                } else if error.is_timeout() {
                    // A late reply must not reach the next caller.
                    shared.discard(generation);
                } else {
                    shared.reset_generation(generation);
                }
                Err(fault)
            }
        }
    }
}

impl Shared {
    fn remember(&self, fault: &CallError) {
        self.state.lock().fault = Some(fault.clone());
    }

    /// Returns an idle connection, waiting until `end` if all are in use. Returns `None` at once if
    /// there are no connections at all.
    fn take(&self, end: Duration) -> Option<(Connection, u64)> {
        let mut state = self.state.lock();
        loop {
            if let Some(connection) = state.idle.pop() {
                return Some((connection, state.generation));
            }
            let rest = end.saturating_sub(self.clock.monotonic());
            if state.live == 0 || rest.is_zero() {
                return None;
            }
            self.changed.wait_for(&mut state, rest);
        }
    }

    fn give_back(&self, connection: Connection, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.idle.push(connection);
            drop(state);
            // Wakes all, since the connecting thread waits here as well.
            self.changed.notify_all();
        }
    }

    /// Adds a new connection.
    fn add(&self, connection: Connection, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.live += 1;
            state.idle.push(connection);
            drop(state);
            // Wakes all, since the connecting thread waits here as well.
            self.changed.notify_all();
        }
    }

    /// Removes one unusable connection.
    fn discard(&self, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.live = state.live.saturating_sub(1);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Drops all connections after one broke or the server refused to write, since all lead to the same
    /// server. The address may lead to another one by now.
    fn reset_generation(&self, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.generation += 1;
            state.live = 0;
            let dead = std::mem::take(&mut state.idle);
            drop(state);
            drop(dead);
            self.changed.notify_all();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.lock().over = true;
        self.0.changed.notify_all();
    }
}

/// Runs on the thread: opens missing connections until the pool is dropped.
fn keep(shared: &Shared, opener: &Opener) {
    loop {
        let mut state = shared.state.lock();
        if state.over {
            return;
        }
        if state.live >= CONNECTIONS {
            shared.changed.wait_for(&mut state, IDLE_CHECK);
            continue;
        }
        let generation = state.generation;
        drop(state);
        match opener.open() {
            Ok(connection) => shared.add(connection, generation),
            Err(fault) => {
                shared.remember(&fault);
                shared.changed.wait_for(&mut shared.state.lock(), opener.delay());
            }
        }
    }
}
