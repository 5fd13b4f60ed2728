//! Settings of the log: its level and its format.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;

const LOG_LEVEL: Setting = Setting {
    name: "LOG_LEVEL",
    default: Some("INFO"),
    accepted: "DEBUG, INFO, WARNING, ERROR, CRITICAL, or their aliases NOTSET, WARN, FATAL, in any case",
    display: str::to_owned,
};

const LOG_FORMAT: Setting = Setting {
    name: "LOG_FORMAT",
    default: Some("auto"),
    accepted: "auto (text on a terminal, else json), json, text",
    display: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 2] = [LOG_LEVEL, LOG_FORMAT];

/// The least severe events that are told, by Python's names for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    /// Nothing: no event is that severe.
    Critical,
}

impl Level {
    /// All of them, from the most to the least talkative.
    const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// Python's name for it.
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

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text if standard output is a terminal, else JSON.
    Auto,
    /// A flat JSON object.
    Json,
    /// Text for people.
    Text,
}

/// What is logged, and how.
#[derive(Debug)]
pub(crate) struct Logging {
    pub(crate) level: Level,
    pub(crate) format: Format,
}

impl Logging {
    /// With `DEBUG=true` everything is told, unless the level is set.
    pub(super) fn read(sources: &Sources, debug: bool) -> Result<Self, SettingsError> {
        let level = sources.required(&LOG_LEVEL, read_level)?;
        let format = sources.required(&LOG_FORMAT, read_format)?;
        Ok(Self { level: if debug && sources.is_default(&LOG_LEVEL) { Level::Debug } else { level }, format })
    }
}

/// Reads a level by any name that Python's logging has for it.
fn read_level(text: &str) -> Result<Level, InvalidValue> {
    let name = match text.to_ascii_uppercase().as_str() {
        "NOTSET" => "DEBUG",
        "WARN" => "WARNING",
        "FATAL" => "CRITICAL",
        _ => text,
    };
    Level::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(name)).ok_or(InvalidValue("is not a level"))
}

fn read_format(text: &str) -> Result<Format, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Format::Auto),
        "json" => Ok(Format::Json),
        "text" => Ok(Format::Text),
        _ => Err(InvalidValue("is not a format of log lines")),
    }
}
