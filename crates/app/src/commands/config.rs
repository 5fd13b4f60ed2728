//! `portcullis config check` and `config print`.

use super::console::{Cell, Table};
use super::{settings, sources};
use crate::settings::{printed, render};
use clap::Subcommand;
use std::io::Write;

/// Subcommands of `portcullis config`.
#[derive(Subcommand)]
pub(crate) enum ConfigAction {
    /// Check that the service would start with these settings
    Check,
    /// Print every setting and its origin; secrets are masked
    Print {
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
}

/// Runs `portcullis config`.
pub(crate) fn config(action: &ConfigAction) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match action {
        ConfigAction::Check => {
            let settings = settings()?;
            settings.renderer()?;
            for warning in &settings.warnings {
                writeln!(out, "warning: {warning}")?;
            }
            writeln!(out, "The configuration is valid.")?;
        }
        ConfigAction::Print { json: false } => write!(out, "{}", render(&sources()?))?,
        ConfigAction::Print { json: true } => {
            let mut listing = Table::new(out, true, &["name", "value", "origin"]);
            for shown in printed(&sources()?) {
                listing.row([Cell::Text(shown.name), shown.value.into(), Cell::Text(shown.origin)])?;
            }
            listing.end()?;
        }
    }
    Ok(())
}
