//! Finds or installs Python and Node, in which tests verify tokens as the documentation shows. The
//! tests install the packages they need.

use super::apt;
use crate::repository::find;
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// Commands that must succeed, and the packages of the distribution to install if one fails.
const WANTED: [(&[&str], &[&str]); 2] =
    [(&["python3", "-c", "import ensurepip, venv"], &["python3-venv"]), (&["npm", "--version"], &["nodejs", "npm"])];

/// Finds or installs both.
pub fn prepare() -> Result<()> {
    for (question, packages) in WANTED {
        if answers(question) {
            continue;
        }
        if apt::available() {
            packages.iter().try_for_each(|package| apt::install(package))?;
        }
        if !answers(question) {
            bail!("`{}` fails, tests need it: install your system's {}", question.join(" "), packages.join(" and "));
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
