//! `portcullis keys generate`.

use anyhow::Context;
use clap::{Args, Subcommand};
use portcullis_jwt::{Algorithm, GeneratedKey, generate};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Subcommands of `portcullis keys`.
#[derive(Subcommand)]
pub(crate) enum KeysAction {
    /// Generate a private key that signs tokens
    Generate(Generate),
}

#[derive(Args)]
pub(crate) struct Generate {
    /// Signing algorithm: RS256, ES256 or EdDSA
    #[arg(long, default_value = "ES256")]
    algorithm: Algorithm,
    /// File to create [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Generates a key and prints the settings that use it.
pub(crate) fn keys(action: &KeysAction) -> anyhow::Result<()> {
    let KeysAction::Generate(Generate { algorithm, out }) = action;
    if algorithm.is_symmetric() {
        anyhow::bail!("{} signs with SECRET_KEY: generate one with `openssl rand -hex 32`", algorithm.as_str());
    }
    let made = generate(*algorithm)?;
    match out {
        Some(path) => {
            write_new(path, &made.pem).with_context(|| format!("{} cannot be written", path.display()))?;
            print(std::io::stdout(), *algorithm, &made, &path.display().to_string())
        }
        // Only the key goes to standard output, so that it can be piped.
        None => {
            std::io::stdout().write_all(made.pem.as_bytes())?;
            print(std::io::stderr(), *algorithm, &made, "the file with this key")
        }
    }
}

/// Creates a file that only its owner can read. Never overwrites a file.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn print(mut to: impl Write, algorithm: Algorithm, made: &GeneratedKey, file: &str) -> anyhow::Result<()> {
    writeln!(to, "Generated key {}. To sign with it, set:", made.public.id)?;
    writeln!(to, "ALGORITHM={}", algorithm.as_str())?;
    Ok(writeln!(to, "PRIVATE_KEY_FILE={file}")?)
}
