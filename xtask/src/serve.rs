//! `cargo xtask serve`: builds and runs the service. The first run creates a `.env`.

use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use xtask::repository::{portcullis, root, secret};

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Build with optimizations
    #[arg(long)]
    release: bool,
    /// Pass these arguments to `portcullis serve`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        // Done before the build, which takes minutes, so that an unwritable folder is reported at once.
        if write_env(&root().join(".env"))? {
            println!("wrote .env with a new SECRET_KEY");
        }
        let binary = portcullis(self.release)?;
        // Replaces this process, so that the service gets the signals and its exit code is returned.
        let error = Command::new(&binary).arg("serve").args(self.arguments).current_dir(root()).exec();
        Err(error).with_context(|| format!("{}: cannot be started", binary.display()))
    }
}

/// Creates a `.env` that only its owner can read, unless one exists. Returns whether it did.
fn write_env(path: &Path) -> Result<bool> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).context(".env: cannot be written"),
    };
    let secret = secret()?;
    write!(
        file,
        "# Read at start; environment variables win. All settings: .env.example\n\
         SECRET_KEY={secret}\n\
         # By name: browsers make no passkeys for IP addresses.\n\
         PUBLIC_URL=http://localhost:8000\n"
    )?;
    Ok(true)
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
        assert_eq!(key.lines().next().unwrap().len(), 64);
    }
}
