//! Starts the real binary with only the environment that a test sets, in its own folder and on its own port.

use super::databases::Database;
use super::log::Log;
use super::timing::{KillOnDrop, eventually, fresh_folder};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

/// Default signing secret. New for each run, because the service refuses a key that occurs in the repository.
pub(crate) static SECRET: LazyLock<String> = LazyLock::new(random_secret);

/// Generates a random secret.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    hex::encode(bytes)
}

/// Returns the path of the binary: from Cargo in tests, otherwise next to this program's folder.
pub(crate) fn binary() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("portcullis");
    option_env!("CARGO_BIN_EXE_portcullis").map_or_else(beside, PathBuf::from)
}

/// Service to be started.
pub(crate) struct ServiceBuilder {
    database: Database,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    arguments: Vec<String>,
    /// Shell and commands that start it. Empty: started directly.
    starter: Vec<String>,
    /// Its standard input. `None`: nothing.
    input: Option<OwnedFd>,
}

impl ServiceBuilder {
    /// Builds a service on this database. Hashing has the lowest cost, and rate limits are off: all tests of
    /// one process share a source.
    pub(crate) fn over(database: &Database) -> Self {
        let setup = Self {
            database: database.clone(),
            variables: BTreeMap::new(),
            folder: fresh_folder(),
            arguments: Vec::new(),
            starter: Vec::new(),
            input: None,
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

    /// Sets resource limits, written as for `ulimit`.
    pub(crate) fn limited(self, limits: &str) -> Self {
        self.run_before(&format!("ulimit {limits} || exit"))
    }

    /// Runs shell commands first, then replaces the shell with the service.
    pub(crate) fn run_before(mut self, commands: &str) -> Self {
        let script = format!("{commands}; exec \"$0\" \"$@\"");
        self.starter = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
        self
    }

    /// Starts it with this descriptor as its standard input.
    pub(crate) fn with_input(mut self, input: impl Into<OwnedFd>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Returns the folder that the service runs in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Returns the command, for a test that redirects its streams.
    pub(crate) fn command(&self) -> Command {
        let words: Vec<_> = self.starter.iter().map(PathBuf::from).chain([binary()]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(&self.arguments).env_clear().envs(&self.variables).current_dir(&self.folder);
        let input = self.input.as_ref().map(|input| Stdio::from(input.try_clone().unwrap()));
        command.stdin(input.unwrap_or_else(Stdio::null)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self) -> (KillOnDrop, Arc<Log>, Arc<Log>) {
        let mut process = KillOnDrop::spawn(&mut self.command());
        let log = Log::follow(process.child().stdout.take().unwrap());
        let errors = Log::follow(process.child().stderr.take().unwrap());
        (process, log, errors)
    }

    /// Starts the service and waits until it logs its address.
    pub(crate) fn start(self) -> Service {
        self.try_start().unwrap_or_else(|ended| panic!("it did not start:\n{}\n{}", ended.output, ended.errors))
    }

    /// Like `start`, but returns an error if the service exits instead.
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

    /// Starts it on a port that was just free, for log levels that do not log the address.
    pub(crate) fn start_silent(self) -> Service {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let setup = self.set("PORT", &address.port().to_string());
        let (process, log, errors) = setup.spawn();
        eventually("it listens", || TcpStream::connect(address).ok());
        Service { process: Mutex::new(process), address, log, errors, folder: setup.folder, database: setup.database }
    }

    /// Runs it until it exits.
    pub(crate) fn run(self) -> ExitedService {
        let (process, log, errors) = self.spawn();
        ExitedService::of(process, &log, &errors)
    }
}

/// Exit of a run, with its output.
#[derive(Debug)]
pub(crate) struct ExitedService {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl ExitedService {
    /// Waits for the process to exit.
    fn of(mut process: KillOnDrop, log: &Log, errors: &Log) -> Self {
        errors.wait_for_end();
        log.wait_for_end();
        Self { status: process.child().wait().unwrap(), output: log.text(), errors: errors.text() }
    }

    /// Checks that the start was refused and returns the one error line. The exit code is not 0 and not a
    /// panic's.
    pub(crate) fn refusal(&self) -> &str {
        assert!(matches!(self.status.code(), Some(1..=100)), "{self:?}");
        let mut lines = self.errors.lines().filter(|line| !line.trim().is_empty());
        let line = lines.next().unwrap_or_else(|| panic!("nothing on standard error: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line: {self:?}");
        line
    }
}

/// Running service.
pub(crate) struct Service {
    process: Mutex<KillOnDrop>,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    pub(crate) errors: Arc<Log>,
    /// Folder it runs in and writes emails to.
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

    /// Returns the log with everything logged so far. Sends a request and waits for its warning.
    pub(crate) fn flushed_log(&self) -> &Log {
        let last = self.get("/nowhere");
        self.log.wait_for(1, |event| event["request_id"] == last.request_id());
        &self.log
    }

    /// Returns the base URL of the metrics listener, whose page is `/metrics`.
    pub(crate) fn metrics_url(&self) -> String {
        let served = self.log.wait_for(1, |event| event["message"] == "Metrics are served");
        format!("http://{}", served[0]["address"].as_str().unwrap())
    }

    /// Waits until it exits by itself and all its output is read.
    pub(crate) fn wait(&self) -> ExitStatus {
        self.errors.wait_for_end();
        self.log.wait_for_end();
        self.process.lock().unwrap().child().wait().unwrap()
    }

    /// Kills it with SIGKILL, which it cannot handle.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Shuts it down gracefully.
    pub(crate) fn stop(&self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.errors.text());
    }

    /// Builds a service with the same settings on the same database, still to be started.
    pub(crate) fn again(&self) -> ServiceBuilder {
        ServiceBuilder::over(&self.database)
    }
}
