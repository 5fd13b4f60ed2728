//! Configuration of the real binary: invalid settings, their error lines and the displayed values.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::{Command, Output};

/// Split, because the service refuses a secret that occurs in the repository.
const SECRET: &str = concat!("marker-Kd8sQ2vXzLm4-", "TgB7nWc9yRfHj1pE0u3");

/// Runs the binary in a folder with only these variables.
fn portcullis(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder).env_clear().envs(environment.iter().copied()).output().unwrap()
}

/// Returns the single error line of a command that refuses to start.
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
fn bad_setting_stops_every_command_with_one_line_naming_it() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["serve"], &["migrate"], &["config", "check"]] {
        let told = refusal(folder.path(), arguments, &[("SECRET_KEY", SECRET), ("PORT", "marker")]);
        assert!(told.contains("PORT: is not a whole number; accepted: "), "{told}");
    }
    for arguments in [&[][..], &["serve"], &["config", "check"], &["user", "create", "ada@example.com"]] {
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
fn settings_order_is_defaults_toml_dot_env_environment_and_no_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("secret_key = '{SECRET}'\nport = 1\nhost = 'localhost'\napp_name = 'From toml'\n");
    std::fs::write(folder.path().join("portcullis.toml"), toml).unwrap();
    std::fs::write(folder.path().join(".env"), "PORT=2\nHOST=::1\n").unwrap();
    let environment = [("PORT", "3"), ("DATABASE_URL", "postgresql://u:marker@db/app")];
    let printed = portcullis(folder.path(), &["config", "print"], &environment);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(!printed.contains("marker"), "{printed}");
    for line in [
        "DATABASE_URL=postgresql://u:***@db/app  # environment",
        "SECRET_KEY=(set, 39 bytes)  # portcullis.toml",
        "APP_NAME=From toml  # portcullis.toml",
        "HOST=::1  # .env",
        "PORT=3  # environment",
        "BCRYPT_COST=12  # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
    }
    assert!(portcullis(folder.path(), &["config", "check"], &[]).status.success());
}

/// All variables of the sample file, which lists every setting.
#[test]
fn toml_file_accepts_every_setting_in_lower_case() {
    let folder = tempfile::tempdir().unwrap();
    let sample = include_str!("../../../.env.example");
    let assignment = |line: &'static str| {
        let (name, value) = line.strip_prefix("# ").unwrap_or(line).split_once('=')?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_name.then(|| (name, value.trim_matches('"')))
    };
    let all: Vec<_> = sample.lines().filter_map(assignment).collect();
    let toml: String = all.iter().map(|(name, value)| format!("{} = '{value}'\n", name.to_lowercase())).collect();
    std::fs::write(folder.path().join("portcullis.toml"), toml).unwrap();
    let printed = portcullis(folder.path(), &["config", "print"], &[]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.lines().count(), all.len(), "the sample has every setting");
    for line in printed.lines() {
        assert!(line.ends_with("  # portcullis.toml"), "{line}");
    }
}

#[test]
fn unknown_setting_in_toml_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.toml"), "acess_token_expire_minutes = 'marker'\n").unwrap();
    for arguments in [&[][..], &["serve"], &["config", "check"], &["config", "print"]] {
        let told = refusal(folder.path(), arguments, &[("SECRET_KEY", SECRET)]);
        assert!(told.contains("acess_token_expire_minutes is not a setting"), "{told}");
        assert!(told.contains("did you mean access_token_expire_minutes?"), "{told}");
    }
}

#[test]
fn every_secret_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let key = write("key", &format!("{SECRET}\n"));
    let url = write("url", "postgresql://ada:marker@db/app\r\n");
    let former = write("former", &format!("{SECRET}-a\n{SECRET}-b\n"));
    let redis = write("redis", "redis://ada:marker@cache/2\n");
    let environment = [
        ("SECRET_KEY_FILE", &*key),
        ("DATABASE_URL_FILE", &*url),
        ("SECRET_KEY_PREVIOUS_FILE", &*former),
        ("REDIS_URL_FILE", &*redis),
    ];
    let printed = portcullis(folder.path(), &["config", "print"], &environment);
    let printed = String::from_utf8(printed.stdout).unwrap();
    for line in [
        "SECRET_KEY=(set, 39 bytes)  # SECRET_KEY_FILE, environment",
        "DATABASE_URL=postgresql://ada:***@db/app  # DATABASE_URL_FILE, environment",
        "SECRET_KEY_PREVIOUS=(set, 83 bytes)  # SECRET_KEY_PREVIOUS_FILE, environment",
        "REDIS_URL=redis://cache:6379  # REDIS_URL_FILE, environment",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
    }
    assert!(portcullis(folder.path(), &["config", "check"], &environment).status.success());
    let both = refusal(folder.path(), &["config", "check"], &[("SECRET_KEY_FILE", &key), ("SECRET_KEY", SECRET)]);
    assert!(both.contains("SECRET_KEY: is set, but SECRET_KEY_FILE is set too"), "{both}");
    let gone = refusal(folder.path(), &["config", "check"], &[("SECRET_KEY_FILE", "/nowhere/marker")]);
    assert!(gone.contains("SECRET_KEY_FILE names a file that cannot be read"), "{gone}");
    let empty = write("empty", "\n");
    let empty = refusal(folder.path(), &["config", "check"], &[("SECRET_KEY_FILE", &empty)]);
    assert!(empty.contains("SECRET_KEY: is empty"), "{empty}");
    // Settings that are not secrets have no `_FILE` variant.
    assert!(
        portcullis(folder.path(), &["config", "check"], &[("SECRET_KEY", SECRET), ("PORT_FILE", "/nowhere")])
            .status
            .success()
    );
}
