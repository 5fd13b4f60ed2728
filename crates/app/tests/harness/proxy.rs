//! A network between the service and its PostgreSQL server that can be slow, silent or drop data. The worst
//! case: it acknowledges every byte and never closes a connection.

use super::databases::Database;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

/// Current faults of the network.
#[derive(Default)]
struct NetworkFaults {
    /// Delay of each message.
    delay: Duration,
    silent_requests: bool,
    silent_answers: bool,
    /// Connections with a lower index are never forwarded again.
    forgotten: usize,
    /// Messages from the service so far.
    messages: usize,
}

struct State {
    weather: Mutex<NetworkFaults>,
    changed: Condvar,
    connections: AtomicUsize,
    server: SocketAddr,
}

/// Proxy in front of one PostgreSQL server.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

impl Proxy {
    /// Creates a proxy in front of the database's server.
    pub(crate) fn before(database: &Database) -> Self {
        let Database::Postgres { server, .. } = database else { panic!("SQLite has no network") };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            weather: Mutex::default(),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
            server: SocketAddr::from(([127, 0, 0, 1], server.port())),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                accepting.connect(client.unwrap());
            }
        });
        Self { address, state }
    }

    /// Returns the database's URL through this proxy.
    pub(crate) fn url(&self, database: &Database) -> String {
        let Database::Postgres { name, .. } = database else { panic!("SQLite has no network") };
        format!("postgres://postgres@{}/{name}", self.address)
    }

    /// Delays each message in both directions.
    pub(crate) fn slow(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay);
    }

    /// Stops forwarding in both directions.
    pub(crate) fn stall(&self) {
        self.change(|weather| (weather.silent_requests, weather.silent_answers) = (true, true));
    }

    /// Forwards requests to the server but not its responses.
    pub(crate) fn silence_answers(&self) {
        self.change(|weather| weather.silent_answers = true);
    }

    /// Forwards everything that was held back.
    pub(crate) fn resume(&self) {
        self.change(|weather| (weather.silent_requests, weather.silent_answers) = (false, false));
    }

    /// Keeps existing connections open but never forwards on them again. New connections work.
    pub(crate) fn blackhole_existing(&self) {
        let connections = self.state.connections.load(Ordering::SeqCst);
        self.change(|weather| weather.forgotten = connections);
    }

    /// Counts the messages that the service has sent.
    pub(crate) fn messages(&self) -> usize {
        self.state.weather.lock().unwrap().messages
    }

    /// Counts the connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut NetworkFaults)) {
        change(&mut self.state.weather.lock().unwrap());
        self.state.changed.notify_all();
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(self.server) else { return };
        for (from, to, direction) in [
            (client.try_clone().unwrap(), server.try_clone().unwrap(), Direction::Requests),
            (server, client, Direction::Answers),
        ] {
            to.set_nodelay(true).unwrap();
            let state = Arc::clone(self);
            thread::spawn(move || state.forward(number, from, to, direction));
        }
    }

    fn forward(&self, number: usize, mut from: TcpStream, mut to: TcpStream, direction: Direction) {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.carry(number, direction);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    }

    /// Delays a message, then holds it while its direction is silent.
    fn carry(&self, number: usize, direction: Direction) {
        let mut weather = self.weather.lock().unwrap();
        if direction == Direction::Requests {
            weather.messages += 1;
        }
        let delay = weather.delay;
        weather = self.changed.wait_timeout_while(weather, delay, |_| true).unwrap().0;
        let silent = |weather: &mut NetworkFaults| {
            let silent = match direction {
                Direction::Requests => weather.silent_requests,
                Direction::Answers => weather.silent_answers,
            };
            silent || number < weather.forgotten
        };
        drop(self.changed.wait_while(weather, silent).unwrap());
    }
}
