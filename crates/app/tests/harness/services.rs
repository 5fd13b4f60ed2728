//! Starting the real binary: with no environment but what a test gives, in a folder of its own,
//! on a port of its own.

use super::databases::Database;
use super::log::Log;
use super::timing::{KillOnDrop, eventually, fresh_folder};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

/// The signing secret unless a test gives another. A new one for each run: a key that occurs in
/// the repository is refused.
pub(crate) static SECRET: LazyLock<String> = LazyLock::new(random_secret);

/// A secret that nobody has seen before.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The binary: told by cargo to tests, beside the folder of this program otherwise.
pub(crate) fn binary() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("portcullis");
    option_env!("CARGO_BIN_EXE_portcullis").map_or_else(beside, PathBuf::from)
}

/// A service to be started.
pub(crate) struct ServiceBuilder {
    database: Database,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    arguments: Vec<String>,
    /// A shell and its commands that start it; none, and it is started as it is.
    starter: Vec<String>,
}

impl ServiceBuilder {
    /// On that database. Hashing is as cheap as it gets, and nothing is limited: the tests of one
    /// process are one source, and more of it than any person.
    pub(crate) fn over(database: &Database) -> Self {
        let setup = Self {
            database: database.clone(),
            variables: BTreeMap::new(),
            folder: fresh_folder(),
            arguments: Vec::new(),
            starter: Vec::new(),
        };
        let setup = setup.set("DATABASE_URL", &database.url()).set("SECRET_KEY", &SECRET);
        let setup = setup.set("DEBUG", "true").set("BCRYPT_COST", "4");
        let setup = setup.set("RATE_LIMIT_ENABLED", "false");
        setup.set("HOST", "127.0.0.1").set("PORT", "0")
    }

    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.variables.insert(variable.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Under limits, as `ulimit` takes them.
    pub(crate) fn limited(self, limits: &str) -> Self {
        self.run_before(&format!("ulimit {limits} || exit"))
    }

    /// Has it started by shell commands, after which the shell becomes the service.
    pub(crate) fn run_before(mut self, commands: &str) -> Self {
        let script = format!("{commands}; exec \"$0\" \"$@\"");
        self.starter = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
        self
    }

    /// The folder that the service runs in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The command, for a test that wants its streams otherwise.
    pub(crate) fn command(&self) -> Command {
        let words: Vec<_> = self.starter.iter().map(PathBuf::from).chain([binary()]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(&self.arguments).env_clear().envs(&self.variables).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self) -> (KillOnDrop, Arc<Log>, Arc<Log>) {
        let mut process = KillOnDrop::spawn(&mut self.command());
        let log = Log::follow(process.child().stdout.take().unwrap());
        let errors = Log::follow(process.child().stderr.take().unwrap());
        (process, log, errors)
    }

    /// Starts it, and waits until it says where it listens.
    pub(crate) fn start(self) -> Service {
        self.try_start().unwrap_or_else(|ended| panic!("it did not start:\n{}\n{}", ended.output, ended.errors))
    }

    /// The same, where it may end instead.
    pub(crate) fn try_start(self) -> Result<Service, ExitedService> {
        let (process, log, errors) = self.spawn();
        let Ok(listening) = log.wait_or_end(1, |event| event["message"] == "Listening") else {
            return Err(ExitedService::of(process, &log, &errors));
        };
        assert_eq!(listening[0]["name"], "app");
        let address = listening[0]["address"].as_str().unwrap().parse().unwrap();
        let process = Mutex::new(process);
        Ok(Service { process, address, log, errors, folder: self.folder, database: self.database })
    }

    /// Starts it on a port that was free a moment ago, for a log level at which it says nothing.
    pub(crate) fn start_silent(self) -> Service {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let setup = self.set("PORT", &address.port().to_string());
        let (process, log, errors) = setup.spawn();
        eventually("it listens", || TcpStream::connect(address).ok());
        Service { process: Mutex::new(process), address, log, errors, folder: setup.folder, database: setup.database }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> ExitedService {
        let (process, log, errors) = self.spawn();
        ExitedService::of(process, &log, &errors)
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct ExitedService {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl ExitedService {
    /// Backoff for the end.
    fn of(mut process: KillOnDrop, log: &Log, errors: &Log) -> Self {
        errors.wait_for_end();
        log.wait_for_end();
        Self { status: process.child().wait().unwrap(), output: log.text(), errors: errors.text() }
    }

    /// What a refused start says: one line, with an exit code that is not 0 and no panic's.
    pub(crate) fn refusal(&self) -> &str {
        assert!(matches!(self.status.code(), Some(1..=100)), "{self:?}");
        let mut lines = self.errors.lines().filter(|line| !line.trim().is_empty());
        let line = lines.next().unwrap_or_else(|| panic!("nothing on standard error: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line: {self:?}");
        line
    }
}

/// A running service.
pub(crate) struct Service {
    process: Mutex<KillOnDrop>,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    pub(crate) errors: Arc<Log>,
    /// Where it runs, and writes its mails.
    pub(crate) folder: PathBuf,
    pub(crate) database: Database,
}

impl Service {
    pub(crate) fn process_id(&self) -> i32 {
        self.process.lock().unwrap().child().id() as i32
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process_id()).unwrap(), signal).unwrap();
    }

    /// The log, with all that was told before now: it waits for the warning of a request of its own.
    pub(crate) fn flushed_log(&self) -> &Log {
        let last = self.get("/nowhere");
        self.log.wait_for(1, |event| event["request_id"] == last.request_id());
        &self.log
    }

    /// Where the page of metrics is, at `/metrics`.
    pub(crate) fn metrics_url(&self) -> String {
        let served = self.log.wait_for(1, |event| event["message"] == "Metrics are served");
        format!("http://{}", served[0]["address"].as_str().unwrap())
    }

    /// Backoff until it has ended of itself, and all that it wrote is read.
    pub(crate) fn wait(&self) -> ExitStatus {
        self.errors.wait_for_end();
        self.log.wait_for_end();
        self.process.lock().unwrap().child().wait().unwrap()
    }

    /// Kills it, as nothing can notice.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Stops it in an orderly way.
    pub(crate) fn stop(&self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.errors.text());
    }

    /// A service of the same kind on the same database, still to be started.
    pub(crate) fn again(&self) -> ServiceBuilder {
        ServiceBuilder::over(&self.database)
    }
}
