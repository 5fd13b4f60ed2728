//! Python with aiosmtpd, installed once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

const PACKAGE: &str = "aiosmtpd==1.4.6";
const FOLDER: &str = "aiosmtpd-1.4.6";
const HOW: &str = "this test needs Python 3 with venv, and the package index: apt-get install python3-venv";

/// Returns the path of the interpreter.
pub(super) fn with_aiosmtpd() -> PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(install).join("bin/python")
}

fn install() -> PathBuf {
    let program = env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    // target/debug/deps/program
    let place = program.ancestors().nth(3).map_or_else(env::temp_dir, |target| target.join("tmp"));
    let folder = place.join(FOLDER);
    if folder.exists() {
        return folder;
    }
    let draft = place.join(format!("{FOLDER}.{}", std::process::id()));
    run(Command::new("python3").args(["-m", "venv"]).arg(&draft));
    run(Command::new(draft.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PACKAGE,
    ]));
    // If another process was faster, its installation is used.
    if fs::rename(&draft, &folder).is_err() {
        remove(&draft);
    }
    assert!(folder.exists(), "{} is not there", folder.display());
    folder
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{error}: {HOW}"));
    assert!(output.status.success(), "{}\n{HOW}", String::from_utf8_lossy(&output.stderr));
}

fn remove(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}
