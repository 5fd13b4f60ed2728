//! Temporary PostgreSQL server with PostgreSQL's default settings: the bench must not measure a tuned
//! one. `database_server` finds the programs.

use super::janitor::Janitor;
use super::process::Process;
use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use xtask::repository::{output, run};

const START: Duration = Duration::from_mins(1);
/// Enough for 256 clients of pgbench. Besides this, only the port, address and socket folder differ
/// from the defaults, to keep the server apart from others.
const CONNECTIONS: &str = "max_connections=400";

/// A running server. It ends when dropped; its data are kept.
pub(super) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Postgres {
    /// Starts a server on the data in the folder. Creates the data if there are none.
    pub(super) fn start(programs: &Path, folder: &Path, janitor: &Janitor) -> Result<Self> {
        let data = folder.join("data");
        if !data.join("PG_VERSION").is_file() {
            initialise(programs, folder)?;
        }
        // Left by a bench that was killed. Its server is no longer running.
        let _ = fs::remove_file(data.join("postmaster.pid"));
        let port = super::server::free_port()?;
        let mut command = unprivileged(Command::new(programs.join("postgres")), folder);
        command.arg("-D").arg(&data).args([
            "-p",
            &port.to_string(),
            "-c",
            CONNECTIONS,
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        command.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.join("log"))?);
        // SIGINT: a fast shutdown that writes all data.
        let process = Process::start(&mut command, Signal::INT, janitor)?;
        let mut server = Self { programs: programs.to_owned(), folder: folder.to_owned(), port, process };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<()> {
        let started = Instant::now();
        while self.psql("postgres", "SELECT 1").is_err() {
            let log = self.folder.join("log");
            ensure!(!self.process.has_ended() && started.elapsed() < START, "PostgreSQL failed: {}", log.display());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Returns the URL of a database of this server.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database. Drops an existing one first.
    pub(super) fn create(&self, database: &str) -> Result<()> {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        self.psql("postgres", &format!("CREATE DATABASE {database}")).map(drop)
    }

    /// Runs SQL and returns its output.
    pub(super) fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.client("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql]);
        output_quietly(&mut command)
    }

    /// Runs an SQL file.
    pub(super) fn script(&self, database: &str, file: &Path) -> Result<()> {
        let mut command = self.client("psql");
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-f"]).arg(file);
        command.stdout(Stdio::null());
        run("psql", &mut command)
    }

    /// Runs pgbench and returns its output.
    pub(super) fn pgbench(&self, database: &str, arguments: &[&str], script: &Path) -> Result<String> {
        let mut command = self.client("pgbench");
        command.args(arguments).arg("-f").arg(script).arg(self.url(database));
        output("pgbench", command.stderr(Stdio::null()))
    }

    /// Returns the CPU time of all its processes so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    fn client(&self, name: &str) -> Command {
        let own = self.programs.join(name);
        Command::new(if own.is_file() { own } else { PathBuf::from(name) })
    }
}

fn output_quietly(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context("psql: cannot be started")?;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn initialise(programs: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    if let Some((user, group)) = owner() {
        chown(folder, Some(user), Some(group))?;
    }
    let mut initdb = unprivileged(Command::new(programs.join("initdb")), folder);
    initdb.args(["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-D"]).arg(folder.join("data"));
    run("initdb", initdb.stdout(Stdio::null()))
}

/// Runs the command as `postgres` or `nobody` if this is root: PostgreSQL refuses to run as root.
fn unprivileged(mut command: Command, folder: &Path) -> Command {
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command.current_dir(folder);
    command
}

fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut fields = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).or(Some((65534, 65534)))
}
