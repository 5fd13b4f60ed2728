//! Temporary mail servers that record emails and fail on request. They use STARTTLS or TLS, and require
//! a login. Each runs aiosmtpd from the Python Package Index.

#![expect(clippy::panic, reason = "a failed step fails the test, in tests only")]

mod authority;
mod python;

pub use authority::{Authority, Issued};

use crate::free_ports::free_ports;
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Maximum time of a step on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// User who may send emails.
pub const USER: &str = "portcullis@mail.test";
/// Password of the user. It needs percent-encoding in a URL.
pub const PASSWORD: &str = "p@ss:/w%rd";
/// User and password, percent-encoded for a URL.
pub const USERINFO: &str = "portcullis%40mail.test:p%40ss%3A%2Fw%25rd";

/// TLS mode of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// STARTTLS, required before an email.
    StartTls,
    /// TLS from the start.
    Tls,
    /// Plaintext.
    Clear,
}

/// Step at which a fault occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Step {
    /// At the sender's address.
    Sender,
    /// At the recipient's address.
    Recipient,
    /// After the content.
    Content,
    /// After the email was accepted, before the reply.
    Answer,
}

/// Fault of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fault<'a> {
    /// Sends this reply.
    Reply(&'a str),
    /// Never replies.
    Hang,
    /// Closes the connection.
    Drop,
    /// Delays the reply by this many milliseconds.
    Slow(u32),
}

/// Received email.
#[derive(Debug, Clone, Deserialize)]
pub struct Received {
    /// Recipients of the envelope.
    pub to: Vec<String>,
    /// Sender of the envelope.
    pub sender: String,
    /// True if it was received over TLS.
    pub encrypted: bool,
    /// User name of the login.
    pub user: Option<String>,
    /// Decoded headers.
    pub headers: Vec<(String, String)>,
    /// Decoded subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// Line of the text that is a link.
    pub link: Option<String>,
    /// Raw content.
    pub raw: String,
}

impl Received {
    /// Returns a decoded header, or `None` if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Mail server on a free port of 127.0.0.1.
pub struct Server {
    port: u16,
    mode: TlsMode,
    told: Arc<ServerLog>,
    commands: Mutex<ChildStdin>,
    process: Mutex<Child>,
    folder: tempfile::TempDir,
}

/// Events that the server reported.
#[derive(Default)]
struct ServerLog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mails: Vec<Received>,
    connections: usize,
    faults: usize,
    done: usize,
    ended: bool,
}

impl Server {
    /// Starts a server with a certificate for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn start(mode: TlsMode) -> Self {
        Self::with(mode, &Authority::new().issue(&["localhost", "127.0.0.1"]), true)
    }

    /// Starts a server with a certificate. `international` enables SMTPUTF8.
    #[must_use]
    pub fn with(mode: TlsMode, certificate: &Issued, international: bool) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
            path.display().to_string()
        };
        let (cert, key) = (file("cert.pem", &certificate.certificate), file("key.pem", &certificate.key));
        file("authority.pem", &certificate.authority);
        let port = free_ports().next().unwrap_or_default();
        let mode_name = match mode {
            TlsMode::StartTls => "starttls",
            TlsMode::Tls => "tls",
            TlsMode::Clear => "clear",
        };
        let settings = json!({
            "port": port, "mode": mode_name, "cert": cert, "key": key, "user": USER, "password": PASSWORD,
            "smtputf8": international,
        });
        let mut command = Command::new(python::with_aiosmtpd());
        command.args(["-W", "ignore", "-c", include_str!("server.py"), &settings.to_string()]).stdin(Stdio::piped());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("python: {error}"));
        let told = Arc::new(ServerLog::default());
        let (Some(commands), Some(output)) = (process.stdin.take(), process.stdout.take()) else { unreachable!() };
        let follower = told.clone();
        thread::spawn(move || follower.follow(output));
        let (commands, process) = (Mutex::new(commands), Mutex::new(process));
        let server = Self { port, mode, told, commands, process, folder };
        server.told.wait("the mail server does not listen", |state| (state.done > 0).then_some(()));
        server
    }

    /// Returns the URL for `SMTP_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, parameter) = match self.mode {
            TlsMode::StartTls => ("smtp", "?tls=required"),
            TlsMode::Tls => ("smtps", ""),
            TlsMode::Clear => ("smtp", ""),
        };
        format!("{scheme}://{USERINFO}@localhost:{}{parameter}", self.port)
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the file with the issuer's certificate, for `SSL_CERT_FILE`.
    #[must_use]
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Returns all received emails.
    #[must_use]
    pub fn mails(&self) -> Vec<Received> {
        self.told.state.lock().mails.clone()
    }

    /// Waits for at least `count` emails and returns all of them.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let enough = |state: &State| (state.mails.len() >= count).then(|| state.mails.clone());
        self.told.wait(&format!("there are no {count} mails"), enough)
    }

    /// Waits for at least `count` emails to an address and returns them.
    #[must_use]
    pub fn wait_for_mails_to(&self, address: &str, count: usize) -> Vec<Received> {
        self.told.wait(&format!("there are no {count} mails to {address}"), |state| {
            let mails = state.mails.iter().filter(|mail| mail.to == [address]).cloned().collect::<Vec<_>>();
            (mails.len() >= count).then_some(mails)
        })
    }

    /// Waits until `count` faults have occurred.
    pub fn wait_for_faults(&self, count: usize) {
        self.told.wait("nothing goes wrong", |state| (state.faults >= count).then_some(()));
    }

    /// Returns the number of accepted connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.told.state.lock().connections
    }

    /// Injects a fault until [`clear_faults`](Self::clear_faults).
    pub fn fail(&self, step: Step, fault: Fault<'_>) {
        self.fail_as(step, fault, None);
    }

    /// Injects a fault for a number of times.
    pub fn fail_times(&self, step: Step, fault: Fault<'_>, times: u32) {
        self.fail_as(step, fault, Some(times));
    }

    fn fail_as(&self, step: Step, fault: Fault<'_>, times: Option<u32>) {
        self.command(&json!({"do": "fault", "step": step, "fault": fault, "times": times}));
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.command(&json!({"do": "mend"}));
    }

    /// Stops listening; open connections continue.
    pub fn close(&self) {
        self.command(&json!({"do": "close"}));
    }

    /// Listens again on the same port.
    pub fn open(&self) {
        self.command(&json!({"do": "open"}));
    }

    fn command(&self, command: &Value) {
        let mut commands = self.commands.lock();
        let done = self.told.state.lock().done;
        writeln!(commands, "{command}").unwrap_or_else(|error| panic!("the mail server: {error}"));
        self.told.wait("the mail server does not do as it is told", |state| (state.done > done).then_some(()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        process.kill().ok();
        process.wait().ok();
    }
}

impl ServerLog {
    fn follow(&self, output: ChildStdout) {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let mut state = self.state.lock();
            match event {
                Event::Mail(mail) => state.mails.push(*mail),
                Event::Connection => state.connections = state.connections.saturating_add(1),
                Event::Fault => state.faults = state.faults.saturating_add(1),
                Event::Listening | Event::Done => state.done = state.done.saturating_add(1),
            }
            drop(state);
            self.changed.notify_all();
        }
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    fn wait<T>(&self, complaint: &str, mut found: impl FnMut(&State) -> Option<T>) -> T {
        let mut result = None;
        let waits = |state: &mut State| {
            result = found(state);
            result.is_none() && !state.ended
        };
        self.changed.wait_while_for(&mut self.state.lock(), waits, TIMEOUT);
        result.unwrap_or_else(|| panic!("{complaint}"))
    }
}

/// Line written by the server.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Mail(Box<Received>),
    Connection,
    Fault,
    Listening,
    Done,
}
