//! The program `portcullis`: reads the command line and the configuration, and runs a subcommand.
//! A failed start prints one line to standard error and exits with a code other than 0.

mod commands;
mod embedded;
mod logging;
mod mounts;
pub mod settings;
mod system;
pub mod wire;

pub use embedded::Embedded;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::{self, Write};
use std::panic::catch_unwind;
use std::process::ExitCode;

const ABOUT: &str = "Authentication service: accounts, access tokens and rotating refresh tokens over a JSON API";

/// First paragraphs of `--help`.
const LONG_ABOUT: &str = "\
Portcullis is an authentication service: it keeps accounts and passwords, issues JWT access tokens and rotating
refresh tokens, and sends verification and password-reset emails, all behind a JSON API.

To start, give it a secret to sign tokens with and run it:

    export SECRET_KEY=$(openssl rand -hex 32)
    portcullis

It creates the SQLite database app.db in the current folder and listens on http://127.0.0.1:8000, with the API
documentation at /docs. Keep the secret: a new one signs everyone out.

Settings are environment variables, a .env file or portcullis.toml in the current folder. `portcullis config print`
lists them, `portcullis doctor` checks them and everything that they name.";

#[derive(Parser)]
#[command(name = "portcullis", version, about = ABOUT, long_about = LONG_ABOUT)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (default)
    Serve,
    /// Create the database's tables or bring them up to date
    Migrate(commands::MigrateArgs),
    /// Delete expired refresh tokens and old sessions
    Purge,
    /// List and retry waiting and failed emails
    Mail {
        #[command(subcommand)]
        action: commands::MailAction,
    },
    /// Manage accounts
    User {
        #[command(subcommand)]
        action: commands::UserAction,
    },
    /// Manage sessions
    Session {
        #[command(subcommand)]
        action: commands::SessionAction,
    },
    /// Check settings, database, keys and machine, and suggest fixes
    Doctor(commands::DoctorArgs),
    /// Ask the running service for its health, for HEALTHCHECK and probes
    Health(commands::HealthArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Generate signing keys, and encrypt stored secrets with a new key
    Keys {
        #[command(subcommand)]
        action: commands::KeysAction,
    },
    /// Check or print the configuration
    Config {
        #[command(subcommand)]
        action: commands::ConfigAction,
    },
}

/// Runs the subcommand that the command line names. Prints errors and panics as one line.
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| complain(&panic.to_string())));
    match catch_unwind(run_command) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) if is_closed_pipe(&error) => ExitCode::from(CLOSED_PIPE),
        Ok(Err(error)) => {
            complain(&format!("{error:#}"));
            if error.is::<commands::UsageError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Exit code of a command whose reader stops early, as `head` does: as if SIGPIPE had ended it, which the
/// standard library ignores.
const CLOSED_PIPE: u8 = 128 + 13;

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints one line to standard error, with line breaks replaced. Ignores a closed standard error.
fn complain(line: &str) {
    writeln!(io::stderr(), "portcullis: {}", line.replace(['\n', '\r'], " ")).ok();
}

/// Parses the command line. `--version` also names the TLS library, which may be the system's.
fn command_line() -> Result<CommandLine, clap::Error> {
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), portcullis_lettre::tls_library());
    CommandLine::from_arg_matches(&CommandLine::command().version(version).get_matches())
}

fn run_command() -> anyhow::Result<ExitCode> {
    // Every command reads the configuration, and some read a password: neither may end up in a core dump.
    system::disable_core_dumps();
    match command_line().unwrap_or_else(|error| error.exit()).command.unwrap_or(Command::Serve) {
        Command::Serve => return commands::serve(),
        Command::Doctor(args) => return commands::doctor(&args),
        Command::Migrate(args) => commands::migrate(&args)?,
        Command::Purge => commands::purge()?,
        Command::Mail { action } => commands::mail(&action)?,
        Command::User { action } => commands::user(&action)?,
        Command::Session { action } => commands::session(&action)?,
        Command::Health(args) => commands::health(&args)?,
        Command::Openapi => commands::openapi()?,
        Command::Keys { action } => commands::keys(&action)?,
        Command::Config { action } => commands::config(&action)?,
    }
    Ok(ExitCode::SUCCESS)
}
