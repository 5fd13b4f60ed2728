//! What a setting is, and what is said of a bad one.

use std::fmt;

/// A setting: one variable.
pub(super) struct Setting {
    /// The name of the variable.
    pub(super) name: &'static str,
    /// What stands where nobody sets it, as it would be written.
    pub(super) default: Option<&'static str>,
    /// What may be written, for whoever wrote something else.
    pub(super) accepted: &'static str,
    /// How a value is shown to people.
    pub(super) display: fn(&str) -> String,
}

/// What is wrong with a value. Never holds the value: it may be a secret in the wrong place.
pub(super) struct InvalidValue(pub(super) &'static str);

/// Why the configuration cannot be used, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettingsError {
    /// A setting is missing or bad.
    Bad { name: &'static str, fault: String, accepted: &'static str },
    /// A statement in the file `.env` cannot be read.
    Line { line: usize },
    /// A file of settings, `.env` or `portcullis.toml`, cannot be read at all.
    File { file: &'static str, kind: std::io::ErrorKind },
    /// `portcullis.toml` cannot be read from this line on.
    TomlLine { line: usize },
    /// A name in `portcullis.toml` that no setting has.
    Unknown { name: String, nearest: Option<String> },
    /// A value in `portcullis.toml` that is of no kind that settings have.
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
            Self::File { file, kind } => write!(f, "{file}: {kind}; accepted: a readable text file in UTF-8, or none"),
            Self::TomlLine { line } => {
                write!(f, "portcullis.toml: line {line} cannot be read; accepted: name = \"value\", each name once")
            }
            Self::Unknown { name, nearest } => {
                let hint = nearest.as_ref().map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
                write!(f, "portcullis.toml: {name} is no setting{hint}; accepted: the names of settings in lower case")
            }
            Self::TomlValue { name } => {
                write!(f, "portcullis.toml: {name} is neither a text nor a whole number nor true or false")
            }
        }
    }
}

impl Setting {
    /// Whether its value is a secret: what is not shown as it stands.
    pub(super) fn is_secret(&self) -> bool {
        const PROBE: &str = "probe";
        (self.display)(PROBE) != PROBE
    }

    /// The name under which a file can be named that holds the value, for a secret.
    pub(super) fn file_name(&self) -> Option<String> {
        self.is_secret().then(|| format!("{}_FILE", self.name))
    }

    /// The error that says so of this setting.
    pub(super) fn invalid(&self, InvalidValue(fault): InvalidValue) -> SettingsError {
        self.invalid_because(fault.to_owned())
    }

    /// The same, with words that hold nothing of the value.
    pub(super) fn invalid_because(&self, fault: String) -> SettingsError {
        SettingsError::Bad { name: self.name, fault, accepted: self.accepted }
    }
}

/// Shows a secret by its length alone.
pub(super) fn secret(value: &str) -> String {
    format!("(set, {} bytes)", value.len())
}
