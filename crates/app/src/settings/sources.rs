//! Sources of values: defaults, `portcullis.toml`, `.env` and the environment; later ones win. A secret
//! may be in a separate file that `NAME_FILE` names. figment merges the sources and remembers the origin
//! of each value. Its readers are not used, because their errors contain values, even secrets.

use super::SETTINGS;
use super::dotenv::{self, BrokenLine};
use super::family;
use super::files::{self, Contents, ReadFile};
use super::misspelt::{self, KnownName};
use super::setting::{Number, Setting, SettingsError};
use super::toml;
use super::value;
use super::warning::Warning;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::borrow::Cow;
use std::collections::BTreeMap;
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
    pub fn load(
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
        let names: Vec<_> = names.map(|(name, origin)| (name.to_owned(), origin)).collect();
        let dotenv = dotenv.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let dotenv = Layer::new(DOTENV, dotenv, |_, value| Ok(value))?;
        let variables = environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
        let environment = Layer::new("environment", variables, |setting, value| {
            value.to_str().map(str::to_owned).ok_or_else(|| setting.invalid("is not UTF-8"))
        })?;
        let merged = Figment::new().merge(defaults()).merge(toml).merge(dotenv).merge(environment);
        let sources = Self { merged, files, open: Vec::new(), near_misses: Vec::new() }.with_family_defaults();
        let near_misses = sources.near_misses_among(names);
        Self { near_misses, ..sources }.with_secrets_of_files()
    }

    /// Adds the defaults of the settings that exist for each provider.
    fn with_family_defaults(mut self) -> Self {
        let default = |name: String| {
            let value = setting(&name)?.default?;
            Some((name, Value::from(value)))
        };
        let values: Dict = self.family_names().filter_map(default).collect();
        if !values.is_empty() {
            self.merged = self.merged.join(Layer { origin: DEFAULT.into(), values });
        }
        self
    }

    /// Lists the providers of `PROVIDERS`, in capitals. Leaves out names that are not valid.
    fn providers(&self) -> impl Iterator<Item = String> + use<> {
        let list = self.find_named(family::LIST).map(|(list, _)| list.to_ascii_uppercase()).unwrap_or_default();
        let names: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
        names.into_iter().filter(|name| family::is_member(name))
    }

    fn family_names(&self) -> impl Iterator<Item = String> + use<> {
        self.providers().flat_map(|provider| family::names(&provider))
    }

    /// Lists the names of all settings, those of the listed providers included.
    pub(super) fn names(&self) -> Vec<String> {
        let own = SETTINGS.into_iter().flatten().map(|setting| setting.name.to_owned());
        own.chain(self.family_names()).collect()
    }

    /// Returns warnings for settings of providers that `PROVIDERS` does not list.
    pub(super) fn unlisted(&self) -> Vec<Warning> {
        let listed: Vec<_> = self.providers().collect();
        let data = self.merged.data().unwrap_or_default();
        let names = data.into_values().flatten().map(|(name, _)| name);
        let unlisted = |name: &String| family::member_of(name).is_some_and(|provider| !listed.contains(&provider));
        let warn = |name: String| {
            let what = format!("{name} has no effect, because {} does not list its provider", family::LIST);
            Warning::new(what, "add the provider, or remove the setting")
        };
        names.filter(unlisted).map(warn).collect()
    }

    /// Adds the secrets that are in separate files.
    fn with_secrets_of_files(mut self) -> Result<Self, SettingsError> {
        for own in self.names() {
            let Some(setting) = setting(&own) else { continue };
            let Some(name) = setting.file_name() else { continue };
            let Some((path, origin)) = self.find_named(&name) else { continue };
            if !self.is_default(&setting) {
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
        let names = self.names();
        let holds_secret = |file: &&&str| {
            names.iter().filter_map(|name| setting(name)).any(|setting| {
                let found = self.find(&setting).filter(|(_, origin)| *origin == **file);
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

    fn near_misses_among(&self, names: Vec<(String, &'static str)>) -> Vec<NearMiss> {
        let mut all = known_names();
        all.extend(self.providers().flat_map(|provider| family::names_with_files(&provider)));
        let all: Vec<_> = all.into_iter().map(KnownName::from).collect();
        let near_miss = |(name, origin): (String, &'static str)| {
            let is_known = known(&name.to_ascii_uppercase()).is_some();
            let meant = misspelt::meant(&name, &all).filter(|_| !is_known)?.to_owned();
            Some(NearMiss { name: toml::shown(&name), origin, meant })
        };
        names.into_iter().filter_map(near_miss).collect()
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
        let names = self.names();
        let names = names.iter().filter_map(|name| setting(name)?.file_name());
        let open = |name: &String| {
            let path = self.find_named(name).map(|(path, _)| path);
            path.is_some_and(|path| (self.files)(Path::new(path.trim())).is_ok_and(|contents| contents.world_readable))
        };
        names.filter(open).collect()
    }

    /// Returns sources with the defaults, a valid secret, a trace endpoint (without one the trace settings
    /// are not read) and the values of the given settings only.
    pub(super) fn only(&self, name: &str, context: &[String]) -> Self {
        // Accepted as a secret, but used only for this validation.
        let secret: String = (1_u64..5).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let values = std::iter::once(name).chain(context.iter().map(String::as_str));
        let values = values.filter_map(|name| Some((name.to_owned(), Value::from(self.find_named(name)?.0))));
        let needed = [("SECRET_KEY", secret), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318".to_owned())];
        let needed = needed.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let values = needed.into_iter().chain(values).collect();
        let merged = Figment::new().merge(defaults()).merge(Layer { origin: "set".into(), values });
        Self { merged, files: self.files, open: Vec::new(), near_misses: Vec::new() }.with_family_defaults()
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
            let name = name.as_ref().to_ascii_uppercase();
            let Some(setting) = known(&name).filter(|_| !values.contains_key(&name)) else { continue };
            let value = Value::from(text(&setting, value)?);
            values.insert(name, value);
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

/// Lists the names that can be set, except those of providers: settings, and `NAME_FILE` for secrets.
pub(super) fn known_names() -> Vec<String> {
    let settings = SETTINGS.into_iter().flatten();
    settings.flat_map(|setting| [Some(setting.name.to_owned()), setting.file_name()]).flatten().collect()
}

/// Finds a setting by its name in capitals.
pub(super) fn setting(name: &str) -> Option<Setting<'_>> {
    let own = SETTINGS.into_iter().flatten().find(|setting| setting.name == name);
    own.copied().or_else(|| family::setting(name))
}

/// Finds the setting that a name in capitals refers to: its own, or `NAME_FILE`.
pub(super) fn known(name: &str) -> Option<Setting<'_>> {
    let of_file = || setting(name.strip_suffix("_FILE")?).filter(|setting| setting.file_name().is_some());
    setting(name).or_else(of_file)
}

/// Reads a file. Returns an empty string if it does not exist.
fn text_of(path: &Path, file: &'static str) -> Result<String, SettingsError> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| SettingsError::File { file, kind: error.kind() }),
    }
}
