//! Server under measurement: Portcullis, a peer with the same contract, or the bare handler. Started
//! with settings on a free port, and ended when dropped.

use super::client::connection::Connection;
use super::client::flows::Get;
use super::janitor::Janitor;
use super::process::Process;
use anyhow::{Result, bail, ensure};
use rustix::process::Signal;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// Includes the time in which a peer may create its environment.
const START: Duration = Duration::from_mins(3);
/// Shared by all servers of a run, so that a server accepts tokens of an earlier one.
static SECRET: LazyLock<String> = LazyLock::new(|| xtask::repository::secret().unwrap_or_default());

/// A server program and how it is started.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// The release binary.
    Ours(PathBuf),
    /// A shell command; `{port}` is replaced by the port.
    Peer(String),
    /// A program that takes its address as an argument.
    Bare(PathBuf),
}

/// Environment variable and its value.
pub(super) type Setting = (&'static str, String);

pub(super) struct Server {
    process: Process,
    pub(super) address: SocketAddr,
}

impl Program {
    /// Returns the name used in the tables.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "Portcullis",
            Self::Peer(_) => "peer",
            Self::Bare(_) => "bare actix-web",
        }
    }

    /// Returns a command of the program other than serving.
    pub(super) fn run(&self, arguments: &[&str], settings: &[Setting]) -> Command {
        let mut command = self.command(0, settings);
        command.args(arguments);
        command
    }

    fn command(&self, port: u16, settings: &[Setting]) -> Command {
        let mut command = match self {
            Self::Ours(binary) => {
                let mut command = Command::new(binary);
                command.env_clear();
                command
            }
            Self::Bare(binary) => {
                let mut command = Command::new(binary);
                command.arg(format!("127.0.0.1:{port}"));
                command
            }
            Self::Peer(text) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("exec {}", text.replace("{port}", &port.to_string())));
                command
            }
        };
        command.env("SECRET_KEY", &*SECRET).env("HOST", "127.0.0.1").env("PORT", port.to_string());
        // A few clients and accounts send the load of thousands.
        command.env("RATE_LIMIT_ENABLED", "false");
        command.envs(settings.iter().map(|(name, value)| (*name, value)));
        command
    }
}

impl Server {
    /// Starts the server in a folder and waits for the first 200 of `/health`.
    pub(super) fn start(program: &Program, folder: &Path, settings: &[Setting], janitor: &Janitor) -> Result<Self> {
        let (server, _) = Self::time_start(program, folder, settings, janitor)?;
        Ok(server)
    }

    /// Like `start`; also returns the time from the fork to the response.
    pub(super) fn time_start(
        program: &Program,
        folder: &Path,
        settings: &[Setting],
        janitor: &Janitor,
    ) -> Result<(Self, Duration)> {
        let port = free_port()?;
        let errors = folder.join(format!("{}.log", program.name()));
        let mut command = program.command(port, settings);
        // The log is discarded, so that only the cost within the service is measured.
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors)?);
        let started = Instant::now();
        let process = Process::start(&mut command, Signal::TERM, janitor)?;
        let mut server = Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let mut pause = Duration::from_micros(500);
        while !server.is_healthy() {
            ensure!(started.elapsed() < START, "{}: no response on {}", program.name(), server.address);
            if server.process.has_ended() {
                bail!("{} exited: {}", program.name(), std::fs::read_to_string(&errors).unwrap_or_default().trim());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50)).min(started.elapsed() / 50 + Duration::from_micros(500));
        }
        Ok((server, started.elapsed()))
    }

    fn is_healthy(&self) -> bool {
        Connection::open(self.address)
            .is_ok_and(|mut connection| connection.exchange(&mut Get::new("/health", "")).is_ok())
    }

    /// Returns the CPU time of the server and its descendants so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    /// Returns the resident memory of the server and its descendants, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        self.process.resident()
    }
}

/// Returns a free port below the ephemeral range, so that outgoing connections of clients do not take
/// it before the server does.
pub(super) fn free_port() -> Result<u16> {
    use std::hash::{BuildHasher, RandomState};
    for _ in 0..100 {
        let port = 10_000 + u16::try_from(RandomState::new().hash_one(()) % 22_000)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}
