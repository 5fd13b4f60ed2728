//! A service with its own database, accounts and sessions, ready to be measured. Accounts use the
//! cheapest hash unless hashing is measured.

use super::client::accounts::{register, sessions};
use super::client::connection::Connection;
use super::client::flows::{Get, Refresh, Session};
use super::client::load::{Client, Sample, Window, drive};
use super::postgres::Postgres;
use super::programs::sqlite3;
use super::run::Run;
use super::server::{Program, Server, Setting};
use anyhow::Result;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use xtask::repository::output;

/// Database of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Sqlite,
    Postgres,
}

impl Storage {
    pub(super) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A program and the database it runs on.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) program: Program,
    pub(super) folder: PathBuf,
    pub(super) settings: Vec<Setting>,
    postgres: Option<(Arc<Postgres>, String)>,
}

impl Target {
    /// Creates an empty database for a program. The label must be unique within a run.
    pub(super) fn empty(run: &mut Run, program: Program, storage: Storage, label: &str) -> Result<Self> {
        let label = format!("{label}_{}", program.name().to_lowercase());
        let folder = run.folder.join(&label);
        fs::create_dir_all(&folder)?;
        let postgres = if storage == Storage::Postgres { Some(run.postgres()?) } else { None };
        let place = Self::existing(program, folder, postgres.map(|postgres| (postgres, label.as_str())));
        place.create()?;
        Ok(place)
    }

    /// Creates a database of PostgreSQL. SQLite creates its file itself.
    pub(super) fn create(&self) -> Result<()> {
        self.postgres.as_ref().map_or(Ok(()), |(server, database)| server.create(database))
    }

    /// Uses an existing database: the file `app.db` of the folder, or one of the PostgreSQL server.
    pub(super) fn existing(program: Program, folder: PathBuf, postgres: Option<(Arc<Postgres>, &str)>) -> Self {
        let url = match &postgres {
            Some((postgres, database)) => postgres.url(database),
            None => format!("sqlite:///{}", folder.join("app.db").display()),
        };
        Self {
            program,
            folder,
            settings: vec![("DATABASE_URL", url)],
            postgres: postgres.map(|(postgres, database)| (postgres, database.to_owned())),
        }
    }

    /// Creates a target for a program without a database.
    pub(super) fn bare(run: &Run, binary: PathBuf) -> Self {
        Self { program: Program::Bare(binary), folder: run.folder.clone(), settings: Vec::new(), postgres: None }
    }

    /// Returns a copy with another setting.
    pub(super) fn with(&self, name: &'static str, value: impl ToString) -> Self {
        let mut place = self.clone();
        place.settings.push((name, value.to_string()));
        place
    }

    /// Returns a copy with this bcrypt cost. A cost below 10 is only accepted with `DEBUG`.
    pub(super) fn with_cost(&self, cost: u32) -> Self {
        let place = self.with("BCRYPT_COST", cost);
        if cost < 10 { place.with("DEBUG", true).with("LOG_LEVEL", "ERROR") } else { place }
    }

    /// Runs another command of the program on this database.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.program.run(arguments, &self.settings);
        command.current_dir(&self.folder).stdout(Stdio::null());
        xtask::repository::run(&arguments.join(" "), &mut command)
    }

    /// Runs SQL directly on the database, in its dialect, and returns the output.
    pub(super) fn sql(&self, sqlite: &str, postgres: &str) -> Result<String> {
        match &self.postgres {
            Some((server, database)) => server.psql(database, postgres),
            None => output("sqlite3", sqlite3()?.arg(self.folder.join("app.db")).arg(sqlite)),
        }
    }

    /// Starts the service.
    pub(super) fn start(&self, run: &Run) -> Result<RunningTarget> {
        let server = Server::start(&self.program, &self.folder, &self.settings, &run.janitor)?;
        Ok(RunningTarget { server, postgres: self.postgres.as_ref().map(|(postgres, _)| Arc::clone(postgres)) })
    }

    /// Creates sessions with the cheapest hashes, through a service that is ended afterwards.
    pub(super) fn sessions(&self, run: &Run, count: usize) -> Result<Vec<Session>> {
        let site = self.with_cost(4).start(run)?;
        sessions(site.server.address, count)
    }

    /// Starts the service and creates accounts with hashes of the measured cost.
    pub(super) fn start_with_accounts(&self, run: &Run, count: usize) -> Result<RunningTarget> {
        let site = self.with_cost(run.cost()).start(run)?;
        register(site.server.address, count)?;
        Ok(site)
    }
}

/// A running service.
pub(super) struct RunningTarget {
    pub(super) server: Server,
    postgres: Option<Arc<Postgres>>,
}

impl RunningTarget {
    /// Returns the CPU time of the service and its database so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let database = self.postgres.as_ref().map_or(Ok(Duration::ZERO), |postgres| postgres.cpu())?;
        Ok(self.server.cpu()? + database)
    }

    /// Returns the resident memory of the service, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        self.server.resident()
    }

    /// Returns whether a route exists: a peer may lack what Portcullis added.
    pub(super) fn has(&self, path: &str) -> Result<bool> {
        let answer = Connection::open(self.server.address)?.call(&mut Get::new(path, ""))?;
        Ok(answer.status != 404)
    }

    /// Drives the clients through a window.
    pub(super) fn drive(&self, clients: &mut [Client], window: Window) -> Result<Sample> {
        drive(self.server.address, clients, window, &|| self.cpu())
    }
}

/// Creates a chain of refreshes for each session.
pub(super) fn chains(sessions: &[Session]) -> Vec<Client> {
    sessions.iter().map(|session| -> Client { Box::new(Refresh::new(session)) }).collect()
}
