//! Connections that a thread of its own makes and tries out, so that no caller ever waits for a
//! name to be resolved, a handshake, or a server that accepts and does not answer.

use crate::RedisUrl;
use portcullis_ports::Clock;
use redis::{Client, Connection, RedisResult};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// As many as calls run at once on two cores that have other work as well.
const CONNECTIONS: usize = 8;
/// How long a call may take in all, the wait for a connection included. What it is spent on is
/// the network: a script runs for microseconds.
const CALL: Duration = Duration::from_millis(40);
/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How often a server that is gone is looked for.
const RETRY: Duration = Duration::from_millis(500);

/// A server. Clones share its connections; with the last of them the thread ends.
#[derive(Clone)]
pub struct RedisPool {
    handle: Arc<Handle>,
    call: Duration,
}

/// What the callers hold, and the thread does not.
struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A connection came back, or is missing.
    changed: Condvar,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// How many there are, idle or in use, of this generation.
    live: usize,
    /// Grows when the server turns out to be gone: connections of before are of no more use.
    generation: u64,
    /// Why the last call or connection that failed did.
    fault: Option<CallError>,
    over: bool,
}

/// A call that failed, for the log.
pub(crate) type CallError = String;

impl RedisPool {
    /// Begins to connect, and tries it once before it returns: a server that is there is used from
    /// the first call on. One that is not is looked for in the background.
    ///
    /// # Errors
    /// Those of the operating system, where it has no thread to give.
    pub fn connect(url: &RedisUrl, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let client = Client::open(url.0.clone()).map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), clock });
        match open(&client) {
            Ok(connection) => shared.add(connection, 0),
            Err(error) => shared.remember(&describe(&error)),
        }
        let keeper = Arc::clone(&shared);
        thread::Builder::new().name("redis".to_owned()).spawn(move || keep(&keeper, &client))?;
        Ok(Self { handle: Arc::new(Handle(shared)), call: CALL })
    }

    /// Gives each call another time than 40 ms.
    #[must_use]
    pub fn with_call_timeout(self, call: Duration) -> Self {
        Self { call, ..self }
    }

    /// Why the last call or connection that failed did, for people. Holds nothing that was sent.
    #[must_use]
    pub fn last_fault(&self) -> Option<String> {
        self.handle.0.lock().fault.clone()
    }

    /// Makes one call on a connection, within the time that a call has.
    pub(crate) fn call<T>(&self, call: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, CallError> {
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
                let fault = describe(&error);
                shared.remember(&fault);
                if error.code().is_some() && !error.is_io_error() {
                    // The server answered: the connection is as good as before.
                    shared.give_back(connection, generation);
                } else if error.is_timeout() {
                    // Its answer may still come: not on a connection that others use.
                    shared.discard(generation);
                } else {
                    shared.reset_generation(generation);
                }
                Err(fault)
            }
        }
    }
}

/// The kind of an error: its text may hold what was sent. Of a refused permission (NOPERM) the name of
/// the command as well, which nobody but this program chose.
pub(crate) fn describe(error: &redis::RedisError) -> CallError {
    if let Some(refused) = error.detail().and_then(refused) {
        return format!("the user of REDIS_URL may not {refused} (NOPERM)");
    }
    match error.code() {
        Some(code) => format!("{}: {code}", error.category()),
        None if error.is_timeout() => "timed out".to_owned(),
        None if error.is_connection_refusal() => "connection refused".to_owned(),
        None => error.category().to_owned(),
    }
}

/// What an ACL refuses, in a script or outside of one.
fn refused(detail: &str) -> Option<String> {
    if let Some((_, rest)) = detail.split_once("permissions to run the '") {
        let command = rest.split('\'').next().filter(|name| name.len() <= 32)?;
        let plain = command.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'|' | b'-' | b'_' | b'.'));
        return plain.then(|| format!("run {command}"));
    }
    // Redis 7.0 does not name what a script may not run.
    if detail.contains("can't run this command") {
        return Some("run a command of the scripts".to_owned());
    }
    let of_keys =
        detail.contains("key") && (detail.contains("permissions to access") || detail.contains("can't access"));
    of_keys.then(|| "access keys that begin with portcullis:".to_owned())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, fault: &CallError) {
        self.lock().fault = Some(fault.clone());
    }

    /// An idle connection, waited for if all are in use; none at once where there are none at all.
    fn take(&self, end: Duration) -> Option<(Connection, u64)> {
        let mut state = self.lock();
        loop {
            if let Some(connection) = state.idle.pop() {
                return Some((connection, state.generation));
            }
            let rest = end.saturating_sub(self.clock.monotonic());
            if state.live == 0 || rest.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, connection: Connection, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.idle.push(connection);
            drop(state);
            // All: the thread that makes connections waits here as well.
            self.changed.notify_all();
        }
    }

    /// Takes a new connection in.
    fn add(&self, connection: Connection, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.live += 1;
            state.idle.push(connection);
            drop(state);
            // All: the thread that makes connections waits here as well.
            self.changed.notify_all();
        }
    }

    /// One connection is of no more use.
    fn discard(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.live = state.live.saturating_sub(1);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// A connection broke: the others stood at the same server.
    fn reset_generation(&self, generation: u64) {
        let mut state = self.lock();
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
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

/// Keeps the connections complete until nobody uses them any more.
fn keep(shared: &Shared, client: &Client) {
    loop {
        let state = shared.lock();
        if state.over {
            return;
        }
        if state.live >= CONNECTIONS {
            drop(shared.changed.wait_timeout(state, RETRY));
            continue;
        }
        let generation = state.generation;
        drop(state);
        match open(client) {
            Ok(connection) => shared.add(connection, generation),
            Err(error) => {
                shared.remember(&describe(&error));
                drop(shared.changed.wait_timeout(shared.lock(), RETRY));
            }
        }
    }
}

/// A connection on which the server has answered.
pub(crate) fn open(client: &Client) -> RedisResult<Connection> {
    let mut connection = client.get_connection_with_timeout(CONNECT)?;
    connection.set_read_timeout(Some(CONNECT))?;
    connection.set_write_timeout(Some(CONNECT))?;
    redis::cmd("PING").exec(&mut connection)?;
    Ok(connection)
}
