//! Configuration: any `.env` and any value is accepted or refused in one line, and neither the error
//! nor the printed settings contain a secret.

use portcullis_app::settings::{Settings, SettingsError, Sources, render};
use std::ffi::OsString;

/// Marks secrets; does not occur in any other text of the program.
const MARKER: &str = "Zk7marker7kZ";
/// Settings to try a value for; the first byte selects one.
const NAMES: [&str; 14] = [
    "DATABASE_URL",
    "CORS_ORIGINS",
    "HOST",
    "LOG_LEVEL",
    "PORT",
    "APP_NAME",
    "ALGORITHM",
    "DEBUG",
    "BCRYPT_COST",
    "PASSWORD_MIN_LENGTH",
    "ACCESS_TOKEN_EXPIRE_MINUTES",
    "REFRESH_TOKEN_EXPIRE_DAYS",
    "SHUTDOWN_TIMEOUT_SECONDS",
    "SECRET_KEY",
];

/// Reads an `.env` file, a value of one setting, or a password in a URL.
pub fn settings(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match usize::from(*how) {
        0 => file(text),
        1 => password(text),
        number => value(NAMES.get(number % NAMES.len()).copied().unwrap_or("PORT"), text),
    }
}

/// Reads a file that may refer to environment variables.
fn file(text: &str) {
    let secret = secret();
    let environment = [("SECRET_KEY", secret.as_str()), ("OUTER", "outer")];
    if let Some(settings) = read(&environment, text) {
        // All line endings are equivalent.
        let again = read(&environment, &text.replace("\r\n", "\n").replace('\r', "\n"));
        assert_eq!(again.as_deref(), Some(settings.as_str()));
    }
}

/// Reads a URL whose password contains the marker.
fn password(text: &str) {
    let url = format!("postgresql://ada:{MARKER}{text}@db.example/app?sslmode=require&password={MARKER}");
    read(&[("SECRET_KEY", &secret()), ("DATABASE_URL", &url)], "");
}

fn value(name: &str, text: &str) {
    let secret = secret();
    // Environment variables cannot contain NUL.
    if text.contains('\0') {
        return;
    }
    if let Ok(sources) = gather(&[("SECRET_KEY", &secret), (name, &format!("{text}{MARKER}"))], "") {
        Settings::read(&sources).map_err(|error| refused(&error)).ok();
    }
    let by_environment = read(&[("SECRET_KEY", &secret), (name, text)], "");
    if name == "SECRET_KEY" || by_environment.is_none() {
        return;
    }
    // In single quotes, a file has the same meaning unless it contains characters that it would
    // replace.
    if !text.contains(['\\', '\'', '$', '\r']) {
        assert_eq!(read(&[("SECRET_KEY", &secret)], &format!("{name}='{text}'")), by_environment);
    }
    let sources = gather(&[("SECRET_KEY", &secret), (name, text)], "").expect("read before");
    let settings = Settings::read(&sources).expect("read before");
    if !settings.server.cors_origins.is_empty() {
        let origins = settings.server.cors_origins.join(",");
        let sources = gather(&[("SECRET_KEY", &secret), ("CORS_ORIGINS", &origins)], "").expect("origins");
        let again = Settings::read(&sources).expect("an origin as browsers spell it is one");
        assert_eq!(again.server.cors_origins, settings.server.cors_origins);
    }
}

/// Returns the `Debug` output of the settings, which must contain no secret. `None` if they are
/// refused.
fn read(environment: &[(&str, &str)], file: &str) -> Option<String> {
    let sources = gather(environment, file).map_err(|error| refused(&error)).ok()?;
    let printed = render(&sources);
    assert!(!printed.contains(MARKER), "{printed}");
    assert!(printed.lines().all(|line| line.contains('=') && line.contains("  # ")), "{printed}");
    let settings = Settings::read(&sources).map_err(|error| refused(&error)).ok()?;
    let shown = format!("{settings:?}");
    assert!(!shown.contains(MARKER), "{shown}");
    Some(shown)
}

/// Checks that an error is one line without the value.
fn refused(error: &SettingsError) {
    let line = error.to_string();
    assert!(!line.contains(MARKER), "{line:?}");
    assert!(line.len() < 300 && line.chars().all(|c| !c.is_control()), "{line:?}");
}

/// Merges the environment and the text of a `.env` file.
pub(crate) fn gather(environment: &[(&str, &str)], file: &str) -> Result<Sources, SettingsError> {
    let pairs = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Sources::merge(pairs, "", file, |_| Err(std::io::ErrorKind::NotFound))
}

/// Returns a signing secret.
pub(crate) fn secret() -> String {
    format!("{MARKER}-Kd8sQ2vXzLm4-{}", "TgB7nWc9yRfHj1pE0u3")
}
