//! `cargo xtask serve`: a first run of the service, and every later one. The configuration is
//! the service's own affair.

use crate::repository::{portcullis, root};
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Build with optimisation
    #[arg(long)]
    release: bool,
    /// Handed on to `portcullis serve`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        // Before the build, which takes minutes: a folder that cannot be written to is known at once.
        if write_env(&root().join(".env"))? {
            println!("wrote .env with a fresh SECRET_KEY");
        }
        let binary = portcullis(self.release)?;
        // The service takes this process over, so that signals reach it and its exit code counts.
        let error = Command::new(&binary).arg("serve").args(self.arguments).current_dir(root()).exec();
        Err(error).with_context(|| format!("{}: cannot be started", binary.display()))
    }
}

/// Writes a `.env` that only its owner reads, unless there is one; whether it did.
fn write_env(path: &Path) -> Result<bool> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).context(".env: cannot be written"),
    };
    let secret = secret()?;
    write!(file, "# Read at start; the environment wins. All settings: .env.example\nSECRET_KEY={secret}\n")?;
    Ok(true)
}

/// 32 bytes of the system's randomness, in hex.
pub(crate) fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_first_run_writes_a_private_env_and_a_second_keeps_it() {
        let path = std::env::temp_dir().join(format!("xtask-env-{}", std::process::id()));
        assert!(write_env(&path).unwrap());
        let first = std::fs::read_to_string(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!write_env(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        std::fs::remove_file(&path).unwrap();
        let (_, key) = first.split_once("SECRET_KEY=").unwrap();
        assert_eq!(key.trim_end().len(), 64);
    }

    #[test]
    fn two_secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
