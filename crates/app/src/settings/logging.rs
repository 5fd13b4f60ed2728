//! Log settings: level and format.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;

const LOG_LEVEL: Setting = Setting::new(
    "LOG_LEVEL",
    Some("INFO"),
    "DEBUG, INFO, WARNING, ERROR, CRITICAL, or their aliases NOTSET, WARN, FATAL, in any case",
);

const LOG_FORMAT: Setting =
    Setting::new("LOG_FORMAT", Some("auto"), "auto (text on a terminal, otherwise json), json, text");

const LOG_HEALTH: Setting = Setting::switch("LOG_HEALTH", "true");

pub(super) const SETTINGS: [Setting; 3] = [LOG_LEVEL, LOG_FORMAT, LOG_HEALTH];

/// Minimum severity of logged events, with Python's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    /// Logs nothing: no event is that severe.
    Critical,
}

impl Level {
    /// All levels, from the least to the most severe.
    const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// Returns Python's name of the level.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text if standard output is a terminal, else JSON.
    Auto,
    /// A flat JSON object.
    Json,
    /// Readable text.
    Text,
}

/// Settings of the log.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) level: Level,
    pub(crate) format: Format,
    /// True if requests of the health endpoints are logged and traced.
    pub(crate) health: bool,
}

impl Logging {
    /// Reads the section. With `DEBUG=true` the default level is `DEBUG`.
    pub(super) fn read(sources: &Sources, debug: bool) -> Result<Self, SettingsError> {
        let level = sources.required(&LOG_LEVEL, read_level)?;
        let format = sources.required(&LOG_FORMAT, read_format)?;
        let level = if debug && sources.is_default(&LOG_LEVEL) { Level::Debug } else { level };
        Ok(Self { level, format, health: sources.switch(&LOG_HEALTH)? })
    }
}

/// Parses a level, including the aliases of Python's logging.
fn read_level(text: &str) -> Result<Level, InvalidValue> {
    let name = match text.to_ascii_uppercase().as_str() {
        "NOTSET" => "DEBUG",
        "WARN" => "WARNING",
        "FATAL" => "CRITICAL",
        _ => text,
    };
    let level = Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(name));
    level.ok_or(InvalidValue("is not a log level"))
}

fn read_format(text: &str) -> Result<Format, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Format::Auto),
        "json" => Ok(Format::Json),
        "text" => Ok(Format::Text),
        _ => Err(InvalidValue("is not a log format")),
    }
}
