//! Definition of a setting, and the errors of the configuration.

use std::fmt;

/// A setting.
pub(super) struct Setting {
    /// Name of the environment variable.
    pub(super) name: &'static str,
    /// Default value, as an operator would write it.
    pub(super) default: Option<&'static str>,
    /// Accepted values, for error messages.
    pub(super) accepted: &'static str,
    /// Formats a value for display; masks secrets.
    pub(super) display: fn(&str) -> String,
}

/// Fault of a value. Never contains the value, which may be a misplaced secret.
pub(super) struct InvalidValue(pub(super) &'static str);

/// Error of the configuration. Its `Display` output is one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettingsError {
    /// Missing or invalid setting.
    Bad { name: &'static str, fault: String, accepted: &'static str },
    /// Syntax error in `.env`.
    Line { line: usize },
    /// Unreadable file, `.env` or `portcullis.toml`.
    File { file: &'static str, kind: std::io::ErrorKind },
    /// Syntax error in `portcullis.toml`.
    TomlLine { line: usize },
    /// Unknown name in `portcullis.toml`.
    Unknown { name: String, nearest: Option<String> },
    /// Value in `portcullis.toml` that is not a string, integer or boolean.
    TomlValue { name: String },
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad { name, fault, accepted } => write!(f, "{name}: {fault}; accepted: {accepted}"),
            Self::Line { line } => {
                write!(
                    f,
                    ".env: line {line} cannot be read; accepted: NAME=value, NAME='value', NAME=\"value\", # comment"
                )
            }
            Self::File { file, kind } => write!(f, "{file}: {kind}; accepted: a readable UTF-8 text file, or no file"),
            Self::TomlLine { line } => {
                write!(f, "portcullis.toml: line {line} cannot be read; accepted: name = \"value\", each name once")
            }
            Self::Unknown { name, nearest } => {
                let hint = nearest.as_ref().map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
                write!(f, "portcullis.toml: {name} is not a setting{hint}; accepted: names of settings in lower case")
            }
            Self::TomlValue { name } => {
                write!(f, "portcullis.toml: {name} has an invalid type; accepted: a string, whole number or boolean")
            }
        }
    }
}

impl Setting {
    /// Returns whether the value is a secret, which means that `display` masks it.
    pub(super) fn is_secret(&self) -> bool {
        const PROBE: &str = "probe";
        (self.display)(PROBE) != PROBE
    }

    /// Returns the name of the setting for a file with the value (`NAME_FILE`), or `None` if the value is
    /// not a secret.
    pub(super) fn file_name(&self) -> Option<String> {
        self.is_secret().then(|| format!("{}_FILE", self.name))
    }

    /// Creates an error for this setting.
    pub(super) fn invalid(&self, InvalidValue(fault): InvalidValue) -> SettingsError {
        self.invalid_because(fault.to_owned())
    }

    /// Creates an error for this setting. The fault must not contain any part of the value.
    pub(super) fn invalid_because(&self, fault: String) -> SettingsError {
        SettingsError::Bad { name: self.name, fault, accepted: self.accepted }
    }
}

/// Formats a secret as its length only.
pub(super) fn secret(value: &str) -> String {
    format!("(set, {} bytes)", value.len())
}
