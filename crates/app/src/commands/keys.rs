//! `portcullis keys`: generates signing keys, and encrypts stored secrets with a new key.

use super::progress::Progress;
use crate::settings::Settings;
use crate::wire::{self, AppContext};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use portcullis_jwt::{Algorithm, GeneratedKey, generate};
use portcullis_usecases::maintenance::Reencrypt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Subcommands of `portcullis keys`.
#[derive(Subcommand)]
pub(crate) enum KeysAction {
    /// Generate a private key that signs tokens
    Generate(Generate),
    /// Encrypt stored secrets again with the current ENCRYPTION_KEY
    ///
    /// Run it after a new key was set on every replica. Then remove the old key from ENCRYPTION_KEY_PREVIOUS.
    Reencrypt,
}

#[derive(Args)]
pub(crate) struct Generate {
    /// Signing algorithm: RS256, ES256 or EdDSA
    #[arg(long, default_value = "ES256", value_parser = read_algorithm)]
    algorithm: Algorithm,
    /// File to create [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Parses the name of an algorithm that needs a key of its own.
fn read_algorithm(name: &str) -> Result<Algorithm, String> {
    match name.parse::<Algorithm>() {
        Ok(algorithm) if algorithm.is_symmetric() => {
            Err(format!("{name} signs with SECRET_KEY: generate one with `openssl rand -hex 32`"))
        }
        Ok(algorithm) => Ok(algorithm),
        Err(_) => Err("expected RS256, ES256 or EdDSA".to_owned()),
    }
}

/// Runs `portcullis keys`.
pub(crate) fn keys(action: &KeysAction) -> anyhow::Result<()> {
    match action {
        KeysAction::Generate(arguments) => generate_key(arguments),
        KeysAction::Reencrypt => reencrypt(&super::settings()?),
    }
}

/// Encrypts stored secrets with the current key. Fails if no key opens one.
fn reencrypt(settings: &Settings) -> anyhow::Result<()> {
    let AppContext { database, clock, .. } = super::open_ready(settings)?;
    let use_case = Reencrypt { store: database.store.clone(), sealer: wire::sealer(&settings.encryption)?, clock };
    let mut progress = Progress::new("Encrypted");
    let counts = use_case.run(&mut |step| progress.after(step))?;
    let (done, current) = (secrets(counts.earlier), counts.current);
    progress.end(format_args!("Encrypted {done} with the current key; {current} already were."))?;
    if counts.closed > 0 {
        bail!(
            "no key opens {}, which stay as they are: list their key in ENCRYPTION_KEY_PREVIOUS and run this again",
            secrets(counts.closed)
        );
    }
    Ok(())
}

/// Returns a number of secrets in words.
pub(super) fn secrets(count: u64) -> String {
    format!("{count} {}", if count == 1 { "secret" } else { "secrets" })
}

/// Generates a key and prints the settings that use it.
fn generate_key(Generate { algorithm, out }: &Generate) -> anyhow::Result<()> {
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
