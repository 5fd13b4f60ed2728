//! Opens connections within a time limit. The library limits neither a TLS handshake nor the questions to a
//! Sentinel, so each attempt has a thread, which is abandoned if it takes too long.

use crate::refusal;
use crate::trial::Trial;
use crate::url::{RedisUrl, Sentinels, Target};
use parking_lot::Mutex;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, Connection, ErrorKind, RedisError, RedisResult, TlsMode};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Maximum time of a step.
const CONNECT: Duration = Duration::from_secs(1);
/// Maximum time of an attempt: three servers are asked one after another.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Maximum number of abandoned attempts. Each keeps a thread until its server responds or ends.
const MAX_ABANDONED: usize = 8;
/// Delay before the first attempt after an error. It doubles with each abandoned attempt.
const RETRY: Duration = Duration::from_millis(500);

/// Opens connections to a server that takes writes.
pub(crate) struct Opener {
    url: RedisUrl,
    trial: Trial,
    /// One clone for each attempt that runs, and one more.
    running: Arc<()>,
    /// Number of attempts so far. The next one begins with the next Sentinel, as one may hang.
    attempts: Mutex<usize>,
}

impl Opener {
    pub(crate) fn new(url: &RedisUrl) -> Self {
        Self { url: url.clone(), trial: Trial::new(), running: Arc::new(()), attempts: Mutex::new(0) }
    }

    /// Opens a connection, and checks that the server takes the writes of this user.
    pub(crate) fn open(&self) -> Result<Connection, String> {
        let mut connection = self.connect()?;
        self.trial.run(&mut connection).map_err(|error| refusal::describe(&error))?;
        Ok(connection)
    }

    /// Opens a connection and checks it with a PING.
    pub(crate) fn connect(&self) -> Result<Connection, String> {
        if self.abandoned() >= MAX_ABANDONED {
            return Err("earlier attempts to connect hang".to_owned());
        }
        let (url, first) = (self.url.clone(), {
            let mut attempts = self.attempts.lock();
            *attempts = attempts.wrapping_add(1);
            attempts.wrapping_sub(1)
        });
        let (sender, receiver) = sync_channel(1);
        let running = self.running.clone();
        let attempt = move || {
            // The receiver may have given up.
            drop(sender.send(attempt(&url, first)));
            drop(running);
        };
        thread::Builder::new().name("redis-open".to_owned()).spawn(attempt).map_err(|error| error.to_string())?;
        match receiver.recv_timeout(ATTEMPT) {
            Ok(outcome) => outcome.map_err(|error| refusal::describe(&error)),
            Err(RecvTimeoutError::Timeout) => Err("timed out".to_owned()),
            Err(RecvTimeoutError::Disconnected) => Err("the attempt to connect failed".to_owned()),
        }
    }

    /// Returns the delay before the next attempt after a failed one.
    pub(crate) fn delay(&self) -> Duration {
        RETRY.saturating_mul(1 << self.abandoned().min(6))
    }

    /// Number of attempts that still run.
    fn abandoned(&self) -> usize {
        Arc::strong_count(&self.running).saturating_sub(1)
    }
}

fn attempt(url: &RedisUrl, first: usize) -> RedisResult<Connection> {
    let client = match &url.0 {
        Target::Server(info) => Client::open(info.clone())?,
        Target::Sentinels(named) => master(named, first)?,
    };
    let mut connection = client.get_connection_with_timeout(CONNECT)?;
    connection.set_read_timeout(Some(CONNECT))?;
    connection.set_write_timeout(Some(CONNECT))?;
    redis::cmd("PING").exec(&mut connection)?;
    Ok(connection)
}

/// Asks the Sentinels for the server. The library asks one after another, and checks the server's role.
fn master(named: &Sentinels, first: usize) -> RedisResult<Client> {
    let mut sentinels = named.sentinels.clone();
    let first = first.checked_rem(sentinels.len());
    sentinels.rotate_left(first.ok_or(RedisError::from((ErrorKind::EmptySentinelList, "no Sentinel")))?);
    let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(named.server.clone());
    if named.tls {
        node = node.set_tls_mode(TlsMode::Secure);
    }
    SentinelClient::build(sentinels, named.master.clone(), Some(node), SentinelServerType::Master)?.get_client()
}
