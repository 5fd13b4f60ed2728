//! Temporary Redis or Valkey servers. Each listens on its own port, stores nothing on disk, and ends
//! with the test process in any case.

#![expect(clippy::panic, clippy::disallowed_methods, reason = "a failed step fails the test, in tests only")]

use crate::free_ports::free_ports;
use crate::smtp::Issued;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use tempfile::TempDir;

/// Maximum time of a step on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Kills the server when standard input ends, which is when the test process ends.
const JANITOR: &str = r#"
trap '' HUP INT TERM
"$@" < /dev/null > /dev/null 2>&1 &
server=$!
echo "$server"
while read -r _; do :; done
kill -CONT "$server"; kill -KILL "$server"
"#;

/// Server on a free port of 127.0.0.1.
pub struct Server {
    port: u16,
    /// Second port, with TLS, or 0.
    tls_port: u16,
    /// More arguments of the program.
    arguments: Vec<String>,
    folder: TempDir,
    process: Mutex<Option<Process>>,
}

/// Janitor process, and the server, which is its child.
struct Process {
    janitor: Child,
    server: Pid,
}

impl Server {
    /// Starts a server for one test, which may stop, kill or freeze it.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|_, _| Vec::new())
    }

    /// Starts a server that also listens on a port with TLS.
    #[must_use]
    pub fn start_with_tls(certificate: &Issued) -> Self {
        let tls_port = free_ports().next().unwrap_or_default();
        let mut server = Self::start_with(|folder, _| {
            let file = |name: &str, text: &str| {
                let path = folder.join(name);
                fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
                path.display().to_string()
            };
            let (certificate, key) = (file("cert.pem", &certificate.certificate), file("key.pem", &certificate.key));
            let tls_port = tls_port.to_string();
            let words = ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
            words.into_iter().chain(["--tls-auth-clients", "no"]).map(str::to_owned).collect()
        });
        server.tls_port = tls_port;
        server
    }

    /// Starts a Sentinel that watches a server by the name `gate`, and replaces it within some seconds.
    #[must_use]
    pub fn start_sentinel(watched: &Self) -> Self {
        Self::start_with(|folder, port| {
            let path = folder.join("sentinel.conf");
            let text = format!(
                "port {port}\nsentinel monitor gate 127.0.0.1 {} 1\nsentinel down-after-milliseconds gate 1000\n\
                 sentinel failover-timeout gate 3000\n",
                watched.port
            );
            fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
            vec![path.display().to_string(), "--sentinel".to_owned()]
        })
    }

    fn start_with(arguments: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let port = free_ports().next().unwrap_or_default();
        let arguments = arguments(folder.path(), port);
        let server = Self { port, tls_port: 0, arguments, folder, process: Mutex::default() };
        server.restart();
        server
    }

    /// Makes this server a replica of another one.
    pub fn replicate(&self, other: &Self) {
        assert_eq!(self.command(&format!("REPLICAOF 127.0.0.1 {}", other.port)), "+OK");
    }

    /// Returns its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL for TLS.
    #[must_use]
    pub fn tls_url(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.tls_port)
    }

    /// Returns the path of its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Returns the server shared by the tests of this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Returns its URL: `redis://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server without warning. All its data is lost.
    pub fn kill(&self) {
        let process = self.process.lock().take();
        if let Some(mut process) = process {
            drop(process.janitor.stdin.take());
            process.janitor.wait().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Restarts a killed server on the same port, without data.
    pub fn restart(&self) {
        let process = self.spawn();
        *self.process.lock() = Some(process);
        let start = Instant::now();
        while self.try_command("PING").is_none() {
            assert!(start.elapsed() < TIMEOUT, "the server on port {} does not answer", self.port);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Freezes the server: connections stay open and new ones are accepted, but nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Runs a command and returns the first line of the reply.
    pub fn command(&self, words: &str) -> String {
        self.try_command(words).unwrap_or_else(|| panic!("no answer to {words}"))
    }

    fn try_command(&self, words: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).ok()?;
        stream.write_all(format!("{words}\r\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        (!line.is_empty()).then(|| line.trim_end().to_owned())
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.lock();
        let server = process.as_ref().unwrap_or_else(|| panic!("the server does not run")).server;
        kill_process(server, signal).unwrap_or_else(|error| panic!("{error}"));
    }

    fn spawn(&self) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", JANITOR, "janitor"]).arg(program());
        // A configuration file must come first.
        command.args(&self.arguments).args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args([
            "--unixsocket".as_ref(),
            self.socket().as_os_str(),
            "--dir".as_ref(),
            self.folder.path().as_os_str(),
        ]);
        if !self.arguments.iter().any(|argument| argument == "--sentinel") {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut janitor = command.spawn().unwrap_or_else(|error| panic!("sh: {error}"));
        let mut number = String::new();
        if let Some(output) = janitor.stdout.take() {
            BufReader::new(output).read_line(&mut number).unwrap_or_else(|error| panic!("{error}"));
        }
        let server = number.trim().parse().ok().and_then(Pid::from_raw);
        Process { janitor, server: server.unwrap_or_else(|| panic!("the server did not start")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the program in `PORTCULLIS_TEST_REDIS`, or one on the path.
fn program() -> PathBuf {
    let told = env::var_os("PORTCULLIS_TEST_REDIS").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let names = ["redis-server", "valkey-server"];
    let on_path = env::split_paths(&path).flat_map(|place| names.map(|name| place.join(name)));
    told.into_iter().chain(on_path).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "this test needs redis-server or valkey-server: `cargo xtask test` installs one, or `apt-get install \
             redis-server`, or set PORTCULLIS_TEST_REDIS to the program"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_killed_and_starts_again_empty() {
        let server = Server::start();
        assert_eq!(server.command("SET key value"), "+OK");
        server.kill();
        assert_eq!(server.try_command("PING"), None);
        server.restart();
        assert_eq!(server.command("EXISTS key"), ":0");
    }
}
