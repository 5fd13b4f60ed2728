//! Temporary PostgreSQL servers. Each has its own data folder and ends with the test process in any
//! case.

#![expect(clippy::panic, clippy::disallowed_methods, reason = "a failed step fails the test, in tests only")]

mod german;
mod pooler;
mod standby;
mod tls;

use crate::free_ports::free_ports;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::{fs::chown, process::CommandExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// Settings for a fast start and low load. Durability stays on, since tests kill servers to see which
/// data survives.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nmax_connections = 200\nshared_buffers = 16MB\n\
                        fsync = on\nsynchronous_commit = on\nlog_min_messages = warning\n";
/// Maximum time of a step on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Stops running servers and removes the folder when standard input ends. That is when the test process
/// ends: by a return, a panic or a kill.
const JANITOR: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
for file in "$1"/*/data/postmaster.pid "$1"/*/pooler.pid; do
  read -r pid < "$file" && kill -CONT "$pid" && kill -QUIT "$pid" &&
    while [ -e "$file" ] && kill -0 "$pid"; do sleep 0.05; done
done
rm -rf "$1"
"#;

pub use pooler::Pooler;

type Outcome<T = ()> = Result<T, String>;

/// PostgreSQL server on a free port of 127.0.0.1.
pub struct Server {
    folder: PathBuf,
    port: u16,
    german: bool,
}

/// Empty database on a [`Server`].
#[derive(Debug, Clone)]
pub struct Database {
    /// Connection URL: `postgres://postgres@127.0.0.1:<port>/<name>`.
    pub url: String,
}

impl Server {
    /// Starts a server for one test, which may stop, kill or freeze it.
    #[must_use]
    pub fn start() -> Self {
        expect_ok(Self::try_start(false))
    }

    /// Starts a server with German messages for one test. Its databases belong to a role that cannot
    /// change the language.
    ///
    /// # Panics
    /// Panics if PostgreSQL's German messages are not installed or a German locale cannot be compiled.
    #[must_use]
    pub fn in_german() -> Self {
        let server = expect_ok(Self::try_start(true));
        server.psql("postgres", &format!("CREATE ROLE {} LOGIN", german::ROLE));
        let message = server.try_psql("postgres", "SELECT 1/0").err().unwrap_or_default();
        assert!(message.contains("Division durch Null"), "{}", german::NO_MESSAGES);
        server
    }

    /// Returns the server shared by the tests of this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Returns the server with German messages shared by the tests of this process.
    pub fn shared_in_german() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::in_german)
    }

    /// Returns the URL of a database, which need not exist.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(if self.german { german::ROLE } else { "postgres" }, database)
    }

    fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the port of the server on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Creates an empty database with a unique name.
    #[must_use]
    pub fn create_database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let owner = if self.german { german::ROLE } else { "postgres" };
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER {owner}"));
        Database { url: self.url(&name) }
    }

    /// Runs SQL, such as statements or a dump, as the superuser. Returns the output: one line per row,
    /// with columns separated by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        expect_ok(self.try_psql(database, sql))
    }

    /// Returns a `pg_dump` of a database as SQL.
    pub fn dump(&self, database: &str) -> String {
        expect_ok(run(installation().command("pg_dump").arg("--no-owner").arg(self.url(database))))
    }

    /// Stops the server and closes its connections.
    pub fn stop(&self) {
        expect_ok(self.pg_ctl(&["stop", "-m", "fast"]));
    }

    /// Restarts a stopped or crashed server on the same port and data.
    pub fn restart(&self) {
        expect_ok(self.pg_ctl(&["start", "-l", "log"]));
    }

    /// Kills every process of the server at once, like a crash of the machine.
    pub fn crash(&self) {
        let processes = self.signal(Signal::KILL);
        assert!(eventually(|| processes.iter().all(|pid| has_ended(*pid))), "the killed server is still there");
        // If no process reaps orphans, pg_ctl would take the dead postmaster for a running one.
        for lock in ["data/postmaster.pid".to_owned(), format!(".s.PGSQL.{}.lock", self.port)] {
            let _ = fs::remove_file(self.folder.join(lock));
        }
    }

    /// Freezes every process of the server: connections stay open, but nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn try_start(german: bool) -> Outcome<Self> {
        let folder = fresh_folder();
        run(installation().command("cp").arg("-R").arg(&installation().template).arg(&folder))?;
        Self::start_in(&folder, german)
    }

    /// Starts a server on the data in a folder.
    fn start_in(folder: &Path, german: bool) -> Outcome<Self> {
        let mut failure = String::new();
        for port in free_ports().take(10) {
            let server = Self { folder: folder.to_owned(), port, german };
            let language = if german { format!("lc_messages = '{}'\n", german::LOCALE) } else { String::new() };
            let socket = format!("port = {port}\nunix_socket_directories = '{}'\n{language}", folder.display());
            let config = folder.join("data/postgresql.conf");
            fs::write(config, format!("{SETTINGS}{socket}")).map_err(|e| format!("postgresql.conf: {e}"))?;
            match server.pg_ctl(&["start", "-l", "log"]) {
                Ok(()) => return Ok(server),
                // Another process may have taken the port.
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Outcome {
        let timeout = TIMEOUT.as_secs().to_string();
        let mut command = installation().command("pg_ctl");
        command.current_dir(&self.folder).args(arguments).args(["-D", "data", "-w", "-t", &timeout]);
        if self.german {
            command.env("LOCPATH", german::folder()?).env("LANGUAGE", "de").env_remove("LC_ALL");
        }
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        run(&mut command).map(drop).map_err(|error| error + &log())
    }

    fn try_psql(&self, database: &str, sql: &str) -> Outcome<String> {
        let script = self.folder.join(format!("{:?}.sql", thread::current().id()));
        fs::write(&script, sql).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut command = Command::new(installation().program("psql"));
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(&script)
            .arg(self.url_as("postgres", database));
        run(&mut command)
    }

    /// Sends a signal to the postmaster and its children, which lead their own process groups.
    fn signal(&self, signal: Signal) -> Vec<Pid> {
        let processes = expect_ok(self.processes());
        for pid in &processes {
            // A child may have ended in between.
            let _ = kill_process(*pid, signal);
        }
        processes
    }

    /// Returns the postmaster, then its children.
    fn processes(&self) -> Outcome<Vec<Pid>> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid"));
        let file = file.map_err(|e| format!("the server does not run: {e}"))?;
        let postmaster = file.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
        let postmaster = postmaster.ok_or("postmaster.pid is not readable")?;
        let parent = |process: &fs::DirEntry| stat(&process.path())?.nth(1)?.parse().ok();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let children = all.filter(|process| parent(process) == Some(postmaster.as_raw_nonzero().get()));
        let children = children.filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?));
        Ok(std::iter::once(postmaster).chain(children).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.processes().is_ok() {
            self.resume();
            // The janitor stops a server that does not stop here.
            let _ = self.pg_ctl(&["stop", "-m", "immediate"]);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns the path of a folder for a server, still to be created.
fn fresh_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    installation().folder.join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string())
}

/// Shared by the servers of this process: programs, folder, initialized data folder to copy, and
/// janitor.
struct Installation {
    programs: PathBuf,
    folder: PathBuf,
    template: PathBuf,
    /// User and group for the server if the tests run as root, which PostgreSQL refuses.
    user: Option<(u32, u32)>,
    /// Never waited for: it outlives this process to clean up.
    _janitor: Child,
}

fn installation() -> &'static Installation {
    static INSTALLATION: OnceLock<Installation> = OnceLock::new();
    INSTALLATION.get_or_init(|| expect_ok(Installation::prepare()))
}

impl Installation {
    fn prepare() -> Outcome<Self> {
        let programs = find_programs()?;
        let user = rustix::process::geteuid().is_root().then(unprivileged_user);
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().map_err(|e| format!("a folder: {e}"))?.keep();
        let janitor = start_janitor(&folder).map_err(|e| format!("sh: {e}"))?;
        let template = folder.join("template");
        let made = fs::create_dir(&template).and_then(|()| match user {
            Some((uid, gid)) => [&folder, &template].into_iter().try_for_each(|f| chown(f, Some(uid), Some(gid))),
            None => Ok(()),
        });
        made.map_err(|e| format!("{}: {e}", template.display()))?;
        let this = Self { programs, folder, template, user, _janitor: janitor };
        let mut initdb = this.command("initdb");
        initdb.args(["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
        run(initdb.arg("-D").arg(this.template.join("data")))?;
        Ok(this)
    }

    fn program(&self, name: &str) -> PathBuf {
        let own = self.programs.join(name);
        if own.exists() { own } else { PathBuf::from(name) }
    }

    /// Creates a command that runs a program as the owner of the data.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        command.current_dir(&self.folder);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Finds the folder of `initdb`, `pg_ctl` and `psql`: `PORTCULLIS_TEST_PG_BIN`, or the path, or the
/// newest version where Debian installs it.
fn find_programs() -> Outcome<PathBuf> {
    let told = env::var_os("PORTCULLIS_TEST_PG_BIN").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    installed.sort_by_key(|bin| std::cmp::Reverse(version(bin)));
    let places = told.into_iter().chain(env::split_paths(&path)).chain(installed);
    // Follows a link on the path to the folder that contains all programs.
    let real = |place: PathBuf| fs::canonicalize(place.join("initdb")).ok()?.parent().map(Path::to_path_buf);
    places.filter_map(real).find(|bin| bin.join("pg_ctl").exists()).ok_or_else(|| {
        "this test needs PostgreSQL's server programs: `cargo xtask test` installs them, or `apt-get install \
         postgresql`, or set PORTCULLIS_TEST_PG_BIN to the folder of initdb"
            .to_owned()
    })
}

/// Returns user and group of `postgres` if it exists, or else of `nobody`.
fn unprivileged_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut fields = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).unwrap_or((65534, 65534))
}

/// Starts the janitor. Its standard input ends when this process ends, since no other process holds the
/// other end.
fn start_janitor(folder: &Path) -> io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", JANITOR, "janitor"]).arg(folder).current_dir("/").stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

/// Returns state, parent and so on of a process from "pid (name) state parent …".
fn stat(process: &Path) -> Option<impl Iterator<Item = String>> {
    let line = fs::read_to_string(process.join("stat")).ok()?;
    let fields: Vec<_> = line.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
    Some(fields.into_iter())
}

fn has_ended(pid: Pid) -> bool {
    let state = stat(&Path::new("/proc").join(pid.as_raw_nonzero().to_string())).and_then(|mut fields| fields.next());
    state.is_none_or(|state| state == "Z")
}

fn run(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text) } else { Err(format!("{command:?}: {}\n{errors}{text}", output.status)) }
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

fn expect_ok<T>(outcome: Outcome<T>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_apart_and_data_outlives_a_crash() {
        let server = Server::start();
        let (one, two) = (server.create_database(), server.create_database());
        assert_ne!(one.url, two.url);
        server.psql("postgres", "CREATE TABLE kept AS SELECT 7 AS n");
        server.crash();
        assert!(server.try_psql("postgres", "SELECT 1").is_err());
        server.restart();
        assert_eq!(server.psql("postgres", "SELECT n, 'x' FROM kept"), "7|x\n");
        server.stop();
        assert!(server.try_psql("postgres", "SELECT 1").is_err());
        server.restart();
        assert_eq!(server.psql("postgres", "SELECT n FROM kept"), "7\n");
    }

    #[test]
    fn a_paused_server_keeps_connections_and_answers_nothing() {
        let server = Server::start();
        server.pause();
        let mut psql = Command::new(installation().program("psql"));
        psql.args(["-X", "-c", "SELECT 1"]).arg(server.url("postgres")).stdout(Stdio::null());
        let mut psql = psql.spawn().unwrap();
        assert_eq!(psql.try_wait().unwrap(), None);
        server.resume();
        assert!(psql.wait().unwrap().success());
    }
}
