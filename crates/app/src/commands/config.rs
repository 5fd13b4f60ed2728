//! `portcullis config check` and `config print`.

use super::{settings, sources};
use crate::settings::render;
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

/// What to do with the configuration.
#[derive(Subcommand)]
pub(crate) enum ConfigAction {
    /// Tell whether the service would start with it
    Check,
    /// Print every setting and where it comes from; secrets stay hidden
    Print,
}

/// Looks at the configuration.
pub(crate) fn config(action: &ConfigAction) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match action {
        ConfigAction::Check => {
            for warning in settings()?.warnings {
                writeln!(out, "warning: {warning}")?;
            }
            writeln!(out, "The configuration is good.")?;
        }
        ConfigAction::Print => write!(out, "{}", render(&sources()?))?,
    }
    Ok(ExitCode::SUCCESS)
}
