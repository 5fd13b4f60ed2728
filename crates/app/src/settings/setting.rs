//! Definition of a setting, and the errors of the configuration.

use super::value::BOOL_VALUES;
use std::fmt;
use std::ops::RangeInclusive;

/// A setting.
#[derive(Clone, Copy)]
pub(super) struct Setting<'n> {
    /// Name of the environment variable.
    pub(super) name: &'n str,
    /// Default value, as an operator would write it.
    pub(super) default: Option<&'static str>,
    /// Accepted values, for error messages.
    pub(super) accepted: &'static str,
    /// Formats a value for display; masks secrets.
    pub(super) display: fn(&str) -> String,
    /// True if the value can be in a file although it is not a secret.
    may_be_in_file: bool,
}

/// A setting that is a whole number.
pub(super) struct Number<T> {
    pub(super) setting: Setting<'static>,
    pub(super) range: RangeInclusive<T>,
}

/// Fault of a value. Never contains the value, which may be a misplaced secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidValue(pub(super) &'static str);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Error of the configuration. Its `Display` output is one line.
#[derive(Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// Missing or invalid setting.
    Bad { name: String, fault: String, accepted: &'static str },
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

impl Setting<'static> {
    /// Creates a setting whose value is displayed as it is.
    pub(super) const fn new(name: &'static str, default: Option<&'static str>, accepted: &'static str) -> Self {
        Self { name, default, accepted, display: str::to_owned, may_be_in_file: false }
    }

    /// Creates a boolean setting.
    pub(super) const fn switch(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Some(default), BOOL_VALUES)
    }

    /// Creates a setting that is a whole number.
    pub(super) const fn number<T>(
        name: &'static str,
        default: Option<&'static str>,
        range: RangeInclusive<T>,
        accepted: &'static str,
    ) -> Number<T> {
        Number { setting: Self::new(name, default, accepted), range }
    }

    /// Displays the value by this function.
    pub(super) const fn shown_by(self, display: fn(&str) -> String) -> Self {
        Self { display, ..self }
    }

    /// Returns the same setting under another name.
    pub(super) const fn named<'n>(self, name: &'n str) -> Setting<'n> {
        Setting { name, ..self }
    }

    /// Also accepts a file with the value (`NAME_FILE`), as for secrets.
    pub(super) const fn or_file(self) -> Self {
        Self { may_be_in_file: true, ..self }
    }
}

impl Setting<'_> {
    /// Returns whether the value is a secret, which means that `display` masks it.
    pub(super) fn is_secret(&self) -> bool {
        const PROBE: &str = "probe";
        (self.display)(PROBE) != PROBE
    }

    /// Returns the name of the setting for a file with the value (`NAME_FILE`), or `None` if the value cannot
    /// be in a file.
    pub(super) fn file_name(&self) -> Option<String> {
        (self.may_be_in_file || self.is_secret()).then(|| format!("{}_FILE", self.name))
    }

    /// Creates an error for this setting. The fault must not contain any part of the value.
    pub(super) fn invalid(&self, fault: impl fmt::Display) -> SettingsError {
        SettingsError::Bad { name: self.name.to_owned(), fault: fault.to_string(), accepted: self.accepted }
    }
}

/// Formats a secret as its length only.
pub(super) fn secret(value: &str) -> String {
    format!("(set, {} bytes)", value.len())
}
