//! Finds Python and Node, in which tests verify tokens as the documents show, or installs them.
//! Packages of theirs are left to those tests.

use crate::{apt, repository::find};
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// What is asked, and the distribution's packages where it fails.
const WANTED: [(&[&str], &[&str]); 2] =
    [(&["python3", "-c", "import ensurepip, venv"], &["python3-venv"]), (&["npm", "--version"], &["nodejs", "npm"])];

/// Sees to it that both are there.
pub(crate) fn prepare() -> Result<()> {
    for (question, packages) in WANTED {
        if answers(question) {
            continue;
        }
        if apt::available() {
            packages.iter().try_for_each(|package| apt::install(package))?;
        }
        if !answers(question) {
            bail!("{} fails, and tests need it: install your system's {}", question.join(" "), packages.join(" and "));
        }
    }
    Ok(())
}

fn answers(question: &[&str]) -> bool {
    let [program, arguments @ ..] = question else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    find(program).is_some() && command.status().is_ok_and(|status| status.success())
}
