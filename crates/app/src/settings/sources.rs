//! Sources of values: defaults, `portcullis.toml`, `.env` and the environment; later ones win. A secret
//! may be in a separate file that `NAME_FILE` names. figment merges the sources and remembers the origin
//! of each value. Its readers are not used, because their errors contain values, even secrets.

use super::SETTINGS;
use super::dotenv::{self, BrokenLine};
use super::files::{self, Contents, ReadFile};
use super::misspelt;
use super::setting::{Number, Setting, SettingsError};
use super::toml;
use super::value;
use super::warning::Warning;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

/// All values with their origins.
pub struct Sources {
    merged: Figment,
    files: ReadFile,
    /// World-readable files among `.env` and `portcullis.toml`.
    open: Vec<&'static str>,
    near_misses: Vec<NearMiss>,
}

/// A name that is almost the name of a setting.
struct NearMiss {
    name: String,
    origin: &'static str,
    meant: String,
}

impl Sources {
    /// Loads the values from the environment and the two files in `folder`. Names are case-insensitive, as
    /// in pydantic; if two spellings of a name are set, the one in capitals wins.
    ///
    /// # Errors
    /// If a file or a variable is not readable text, `portcullis.toml` has an unknown name, or a secret is
    /// set both as a value and as a file.
    pub(crate) fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let dotenv = folder.join(DOTENV);
        // python-dotenv ignores a folder of that name, which may be a virtual environment.
        let dotenv = if dotenv.is_dir() { String::new() } else { text_of(&dotenv, DOTENV)? };
        let toml = text_of(&folder.join(TOML), TOML)?;
        let open = [DOTENV, TOML].into_iter().filter(|name| files::is_open(&folder.join(name))).collect();
        Ok(Self { open, ..Self::merge(environment, &toml, &dotenv, Contents::read)? })
    }

    /// Merges the environment and the texts of the two files. `files` reads files that settings name.
    ///
    /// # Errors
    /// As for `load`.
    pub fn merge(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        toml: &str,
        dotenv: &str,
        files: ReadFile,
    ) -> Result<Self, SettingsError> {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let lookup = |name: &str| environment.get(&OsString::from(name))?.to_str().map(str::to_owned);
        let toml = Layer::new(TOML, toml::parse(toml)?, |_, value| Ok(value))?;
        let dotenv = dotenv::parse(dotenv, &lookup).map_err(|BrokenLine(line)| SettingsError::Line { line })?;
        let names = environment.keys().filter_map(|name| name.to_str()).map(|name| (name, "environment"));
        let names = names.chain(dotenv.keys().map(|name| (name.as_str(), DOTENV)));
        let near_misses = near_misses(names);
        let dotenv = dotenv.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let dotenv = Layer::new(DOTENV, dotenv, |_, value| Ok(value))?;
        let variables = environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
        let environment = Layer::new("environment", variables, |setting, value| {
            value.to_str().map(str::to_owned).ok_or_else(|| setting.invalid("is not UTF-8"))
        })?;
        let merged = Figment::new().merge(defaults()).merge(toml).merge(dotenv).merge(environment);
        Self { merged, files, open: Vec::new(), near_misses }.with_secrets_of_files()
    }

    /// Adds the secrets that are in separate files.
    fn with_secrets_of_files(mut self) -> Result<Self, SettingsError> {
        for setting in SETTINGS.into_iter().flatten() {
            let Some(name) = setting.file_name() else { continue };
            let Some((path, origin)) = self.find_named(&name) else { continue };
            if !self.is_default(setting) {
                return Err(setting.invalid(format!("is set, but {name} is set too")));
            }
            let unreadable = |kind| setting.invalid(format!("{name} names a file that cannot be read ({kind})"));
            let contents = (self.files)(Path::new(path.trim())).map_err(unreadable)?;
            // Editors and `echo` end a file with a line break.
            let text = contents.text.trim_end_matches(['\n', '\r']);
            let values = Dict::from([(setting.name.to_owned(), Value::from(text))]);
            let layer = Layer { origin: format!("{name}, {origin}").into(), values };
            self.merged = self.merged.merge(layer);
        }
        Ok(self)
    }

    /// Reads a file that a setting names.
    pub(super) fn file(&self, path: &Path) -> Result<Contents, ErrorKind> {
        (self.files)(path)
    }

    /// Returns warnings for `.env` and `portcullis.toml` if they are world-readable and contain a secret.
    pub(super) fn exposed_secrets(&self) -> Vec<Warning> {
        let holds_secret = |file: &&&str| {
            SETTINGS.into_iter().flatten().any(|setting| {
                let found = self.find(setting).filter(|(_, origin)| *origin == **file);
                found.is_some_and(|(value, _)| {
                    let names_nobody = value.contains("://") && !value.contains(['@', '?']);
                    (setting.display)(&value) != value.trim() && !names_nobody
                })
            })
        };
        let warn = |file: &&'static str| {
            let what = format!("{file} contains secrets, and every user of this machine can read it");
            Warning::new(what, Warning::CHMOD)
        };
        self.open.iter().filter(holds_secret).map(warn).collect()
    }

    /// Returns warnings for misspelt settings. Ignores a name if the setting itself is set: the name then
    /// belongs to another program.
    pub(super) fn misspelt(&self) -> Vec<Warning> {
        let is_unset = |meant: &str| self.find_named(meant).is_none_or(|(_, origin)| origin == DEFAULT);
        let near_misses = self.near_misses.iter().filter(|near_miss| is_unset(&near_miss.meant));
        let warn = |NearMiss { name, origin, meant }: &NearMiss| {
            let what = format!("{name} ({origin}) is not a setting and has no effect");
            Warning::new(what, format!("did you mean {meant}? rename it, or ignore this if another program uses it"))
        };
        near_misses.map(warn).collect()
    }

    /// Returns the settings that name world-readable files with secrets.
    pub(crate) fn world_readable_files(&self) -> Vec<String> {
        let names = SETTINGS.into_iter().flatten().filter_map(Setting::file_name);
        let open = |name: &String| {
            let path = self.find_named(name).map(|(path, _)| path);
            path.is_some_and(|path| (self.files)(Path::new(path.trim())).is_ok_and(|contents| contents.world_readable))
        };
        names.filter(open).collect()
    }

    /// Returns sources with the defaults, a valid secret, a trace endpoint (without one the trace settings
    /// are not read) and the values of the given settings only.
    pub(super) fn only(&self, name: &str, context: &[&str]) -> Self {
        // Accepted as a secret, but used only for this validation.
        let secret: String = (1_u64..5).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let values = std::iter::once(&name).chain(context);
        let values = values.filter_map(|name| Some(((*name).to_owned(), Value::from(self.find_named(name)?.0))));
        let needed = [("SECRET_KEY", secret), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318".to_owned())];
        let needed = needed.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let values = needed.into_iter().chain(values).collect();
        let merged = Figment::new().merge(defaults()).merge(Layer { origin: "set".into(), values });
        Self { merged, files: self.files, open: Vec::new(), near_misses: Vec::new() }
    }

    /// Returns the value of a setting and its origin, or `None` if it has neither value nor default.
    pub(super) fn find(&self, setting: &Setting) -> Option<(String, &str)> {
        self.find_named(setting.name)
    }

    fn find_named(&self, name: &str) -> Option<(String, &str)> {
        let value = self.merged.find_value(name).ok()?;
        let origin = &self.merged.get_metadata(value.tag())?.name;
        Some((value.into_string()?, origin))
    }

    /// Returns whether the setting is not set.
    pub(super) fn is_default(&self, setting: &Setting) -> bool {
        self.find(setting).is_none_or(|(_, origin)| origin == DEFAULT)
    }

    /// Reads an optional setting. Trims white space around the value. `read`'s error must not contain any
    /// part of the value.
    pub(super) fn optional<T, E: Display>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingsError> {
        self.raw(setting, |value| read(value.trim()))
    }

    /// Reads a setting that must have a value or a default, like [`Self::optional`].
    pub(super) fn required<T, E: Display>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, SettingsError> {
        self.optional(setting, read)?.ok_or_else(|| setting.invalid("is missing"))
    }

    /// Reads an optional setting like [`Self::optional`], without trimming.
    pub(super) fn raw<T, E: Display>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingsError> {
        let Some((value, _)) = self.find(setting) else { return Ok(None) };
        if value.trim().is_empty() {
            return Err(setting.invalid("is empty"));
        }
        read(&value).map(Some).map_err(|fault| setting.invalid(fault))
    }

    /// Reads an optional whole number.
    pub(super) fn optional_number<T: FromStr + PartialOrd + Clone>(
        &self,
        number: &Number<T>,
    ) -> Result<Option<T>, SettingsError> {
        self.optional(&number.setting, value::whole_number(number.range.clone()))
    }

    /// Reads a whole number.
    pub(super) fn number<T: FromStr + PartialOrd + Clone>(&self, number: &Number<T>) -> Result<T, SettingsError> {
        self.required(&number.setting, value::whole_number(number.range.clone()))
    }

    /// Reads a boolean.
    pub(super) fn switch(&self, setting: &Setting) -> Result<bool, SettingsError> {
        self.required(setting, value::parse_bool)
    }

    /// Creates sources from an environment, without any file.
    #[cfg(test)]
    pub(super) fn of(environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        Self::merge(environment, "", "", |_| Err(ErrorKind::NotFound)).unwrap()
    }
}

const DEFAULT: &str = "default";
const DOTENV: &str = ".env";
const TOML: &str = "portcullis.toml";

/// Values of one origin by setting name. Ignores other names.
struct Layer {
    origin: Cow<'static, str>,
    values: Dict,
}

impl Layer {
    /// Creates a layer from variables sorted by name, so that capitals come first and win.
    fn new<N: AsRef<str>, V>(
        origin: &'static str,
        variables: impl IntoIterator<Item = (N, V)>,
        text: impl Fn(&Setting, V) -> Result<String, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let mut values = Dict::new();
        for (name, value) in variables {
            let Some((name, setting)) = known(name.as_ref()) else { continue };
            if let Entry::Vacant(place) = values.entry(name) {
                place.insert(Value::from(text(setting, value)?));
            }
        }
        Ok(Self { origin: origin.into(), values })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn defaults() -> Layer {
    let settings = SETTINGS.into_iter().flatten();
    let values = settings.filter_map(|s| Some((s.name.to_owned(), Value::from(s.default?)))).collect();
    Layer { origin: DEFAULT.into(), values }
}

/// Lists all names that can be set: settings, and `NAME_FILE` for secrets.
pub(super) fn known_names() -> Vec<String> {
    let settings = SETTINGS.into_iter().flatten();
    settings.flat_map(|setting| [Some(setting.name.to_owned()), setting.file_name()]).flatten().collect()
}

/// Finds the setting that a name refers to, case-insensitively. Returns it with the name in capitals.
fn known(name: &str) -> Option<(String, &'static Setting)> {
    let upper = name.to_ascii_uppercase();
    let stem = upper.strip_suffix("_FILE");
    let mut settings = SETTINGS.into_iter().flatten();
    let setting =
        settings.find(|setting| setting.name == upper || stem == Some(setting.name) && setting.is_secret())?;
    Some((upper, setting))
}

fn near_misses<'a>(names: impl Iterator<Item = (&'a str, &'static str)>) -> Vec<NearMiss> {
    let all = known_names();
    let near_miss = |(name, origin): (&str, &'static str)| {
        let meant = misspelt::meant(name, &all)?.clone();
        Some(NearMiss { name: toml::shown(name), origin, meant })
    };
    names.filter_map(near_miss).collect()
}

/// Reads a file. Returns an empty string if it does not exist.
fn text_of(path: &Path, file: &'static str) -> Result<String, SettingsError> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| SettingsError::File { file, kind: error.kind() }),
    }
}
