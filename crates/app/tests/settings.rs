//! The configuration of the real binary: what stops it, with which line, and what it shows.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::{Command, Output};

const SECRET: &str = "marker-0123456789-0123456789-0123456789";

/// Runs the binary in a folder, with these variables and no others.
fn portcullis(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder).env_clear().envs(environment.iter().copied()).output().unwrap()
}

/// The one line that a command says when it refuses to start.
fn refusal(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = portcullis(folder, arguments, environment);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.status.code().is_some(), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.ends_with('\n') && !told.contains("marker"), "{told}");
    told
}

#[test]
fn a_bad_setting_stops_every_command_with_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["serve"], &["migrate"], &["config", "check"]] {
        let told = refusal(folder.path(), arguments, &[("SECRET_KEY", SECRET), ("PORT", "marker")]);
        assert!(told.contains("PORT: is not a whole number; accepted: "), "{told}");
        let told = refusal(folder.path(), arguments, &[]);
        assert!(told.contains("SECRET_KEY: is missing; accepted: "), "{told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_bad_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let check = |environment: &[(&str, &str)]| refusal(folder.path(), &["config", "check"], environment);
    for (secret, fault) in
        [("marker", "is shorter than"), ("change-me-marker-0123456789-0123456789", "is a sample"), ("", "is empty")]
    {
        assert!(check(&[("SECRET_KEY", secret)]).contains(&format!("SECRET_KEY: {fault}")), "{fault}");
    }
    let told = check(&[("SECRET_KEY", SECRET), ("DATABASE_URL", "postgresql://u:marker@marker@db/app")]);
    assert!(told.contains("DATABASE_URL: "), "{told}");
    std::fs::write(folder.path().join(".env"), "A=b\nSECRET_KEY='marker").unwrap();
    assert!(check(&[]).contains(".env: line 2 cannot be read"));
}

#[test]
fn config_print_shows_values_and_origins_but_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), format!("export SECRET_KEY='{SECRET}' # mine\nPORT=1\nHOST=::1"))
        .unwrap();
    let environment = [("PORT", "2"), ("DATABASE_URL", "postgresql://u:marker@db/app")];
    let output = portcullis(folder.path(), &["config", "print"], &environment);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!printed.contains("marker"), "{printed}");
    for line in [
        "SECRET_KEY=(set, 39 bytes)  # .env",
        "PORT=2  # environment",
        "HOST=::1  # .env",
        "DATABASE_URL=postgresql://u:***@db/app  # environment",
        "LOG_LEVEL=INFO  # default",
    ] {
        assert!(printed.lines().any(|l| l == line), "{line} is not in\n{printed}");
    }
}
