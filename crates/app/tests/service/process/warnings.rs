//! Warnings about weak settings, in the same words at the start, in `config check` and in `doctor`.

use super::cli_harness::{command, done};
use crate::prelude::*;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const PROXIES: &str = "TRUSTED_PROXIES trusts addresses of the whole Internet";
const READABLE: &str = ".env contains secrets, and every user of this machine can read it";
const HSTS: &str = "HSTS_SECONDS is set, but PUBLIC_URL is not https";

/// Uses the settings of a production service and writes `text` to a `.env` file with this mode.
fn with_dotenv(setup: ServiceBuilder, mode: u32, text: &str) -> ServiceBuilder {
    let setup = setup.unset("DEBUG").unset("BCRYPT_COST").unset("RATE_LIMIT_ENABLED");
    let file = setup.folder().join(".env");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    setup
}

#[test]
fn weak_settings_are_warned_of_in_one_wording_everywhere() {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let weak = |setup: ServiceBuilder| {
        let setup = setup.unset("SECRET_KEY").set("TRUSTED_PROXIES", "0.0.0.0/0").set("HSTS_SECONDS", "31536000");
        with_dotenv(setup, 0o644, &format!("SECRET_KEY={}\n", *SECRET))
    };
    for words in ["config check", "doctor"] {
        let ended = weak(command(&database, words)).run();
        assert!(ended.status.success(), "{ended:?}");
        for what in [PROXIES, READABLE, HSTS] {
            let told = ended.output.lines().any(|line| line.starts_with("warning") && line.contains(what));
            assert!(told, "{words}: {what}: {ended:?}");
        }
    }
    let service = weak(ServiceBuilder::over(&database)).start();
    let log = service.flushed_log().events();
    for (what, advice) in [(PROXIES, "list only the addresses"), (READABLE, "chmod 600"), (HSTS, "set PUBLIC_URL")] {
        let warning = log.iter().find(|event| event["message"].as_str().is_some_and(|text| text.starts_with(what)));
        let warning = warning.unwrap_or_else(|| panic!("{what}: {log:?}"));
        assert_eq!((&warning["level"], &warning["name"]), (&"WARNING".into(), &"app".into()));
        assert!(warning["advice"].as_str().unwrap().starts_with(advice), "{warning}");
    }
}

#[test]
fn a_file_without_secrets_may_be_readable() {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let output = |mode: u32, text: &str, name: &str| {
        let setup = with_dotenv(command(&database, "config check"), 0o600, "");
        let file = setup.folder().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let ended = setup.run();
        assert!(ended.status.success(), "{ended:?}");
        ended.output
    };
    assert!(!output(0o644, "PORT=0\nDATABASE_URL=sqlite:///./app.db\n", ".env").contains("can read"));
    assert!(!output(0o640, "REDIS_URL=redis://:hunter2marker@127.0.0.1\n", ".env").contains("can read"));
    let told = output(0o644, "redis_url = 'redis://:hunter2marker@127.0.0.1'\n", "portcullis.toml");
    assert!(told.contains("portcullis.toml contains secrets") && !told.contains("hunter2marker"), "{told}");
}

/// Like a container that mounts the database file without its folder.
#[test]
fn a_database_file_that_is_mounted_alone_is_warned_of() {
    if !Command::new("unshare").args(["-Urm", "true"]).status().is_ok_and(|status| status.success()) {
        // Bypasses the test harness, which captures output.
        let _ = writeln!(io::stderr(), "not tried: mounting needs user namespaces, which this system refuses");
        return;
    }
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let Database::Sqlite(path) = &database else { unreachable!() };
    let mount = format!("mount --bind {0} {0} && exec \"$0\" \"$@\"", path.display());
    let mounted =
        |setup: ServiceBuilder| setup.run_before(&format!("exec unshare -Urm /bin/sh -c '{mount}' \"$0\" \"$@\""));
    let what = format!("he database file {} is a mount point", path.display());
    let is_told = |output: &str| output.contains(&what) && output.contains("mount the folder of the file instead");
    let ended = mounted(command(&database, "doctor")).run();
    assert!(is_told(&ended.output), "{ended:?}");
    let service = mounted(ServiceBuilder::over(&database)).start();
    assert!(is_told(&service.flushed_log().text()), "{}", service.log.text());
    let ended = command(&database, "doctor").run();
    assert!(!is_told(&ended.output), "{ended:?}");
}
