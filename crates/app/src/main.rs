//! The binary `portcullis`: reads the command line and the configuration, and runs a subcommand.
//! What cannot start says so in one line on standard error and exits with a code that is not 0.

mod commands;
mod hash_costs;
mod logging;
mod mail;
mod metrics;
mod owners;
mod replicas;
mod settings;
mod system;
mod traces;
mod wire;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::Write;
use std::panic::catch_unwind;
use std::process::ExitCode;

/// An authentication service: accounts, access tokens and rotating refresh tokens.
#[derive(Parser)]
#[command(name = "portcullis", version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve; what is done without a subcommand
    Serve,
    /// Bring the database's schema up to date
    Migrate(commands::MigrateArgs),
    /// Delete the rows of refresh tokens that can no longer be shown
    Purge,
    /// Look after mails that wait, or were given up
    Mail {
        #[command(subcommand)]
        action: commands::MailAction,
    },
    /// Look after accounts
    User {
        #[command(subcommand)]
        action: commands::UserAction,
    },
    /// Look after sessions
    Session {
        #[command(subcommand)]
        action: commands::SessionAction,
    },
    /// Look at all that the service stands on, and say what to do
    Doctor(commands::DoctorArgs),
    /// Print the API document
    Openapi,
    /// Make keys
    Keys {
        #[command(subcommand)]
        action: commands::KeysAction,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        action: commands::ConfigAction,
    },
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| complain(&panic.to_string())));
    match catch_unwind(run) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            complain(&format!("{error:#}"));
            if error.is::<commands::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// One line, whatever the causes; a closed standard error is nobody's loss.
fn complain(line: &str) {
    writeln!(std::io::stderr(), "portcullis: {}", line.replace(['\n', '\r'], " ")).ok();
}

/// Parses the command line; `--version` names the TLS library too, since it may be the system's.
fn command_line() -> Result<CommandLine, clap::Error> {
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), portcullis_lettre::tls_library());
    CommandLine::from_arg_matches(&CommandLine::command().version(version).get_matches())
}

fn run() -> anyhow::Result<ExitCode> {
    // All of them read the configuration, and some a password.
    system::keep_memory_off_the_disk();
    match command_line().unwrap_or_else(|error| error.exit()).command.unwrap_or(Command::Serve) {
        Command::Serve => commands::serve(),
        Command::Migrate(args) => commands::migrate(&args),
        Command::Purge => commands::purge(),
        Command::Mail { action } => commands::mail(&action),
        Command::User { action } => commands::user(&action),
        Command::Session { action } => commands::session(&action),
        Command::Doctor(args) => commands::doctor(&args),
        Command::Openapi => commands::openapi(),
        Command::Keys { action } => commands::keys(&action),
        Command::Config { action } => commands::config(&action),
    }
}
