//! Where values come from: the defaults, the file `.env`, the environment; the later wins.
//! Merged by figment, which remembers the origin of each value. figment's own reader of the
//! environment is not used: it parses values and shows them, secrets too, in its errors.

use super::SETTINGS;
use super::dotenv::{self, BrokenLine};
use super::setting::{Fault, Setting, SettingsError};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

/// Every value that is set, and where.
pub(crate) struct Sources {
    merged: Figment,
}

impl Sources {
    /// Gathers the values. A variable's name counts in any case, as pydantic has it; where two
    /// spellings of one name are set, the one in capitals counts.
    ///
    /// # Errors
    /// [`SettingsError`], when a file or a variable cannot be read as text.
    pub(crate) fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        dotenv: &Path,
    ) -> Result<Self, SettingsError> {
        Self::gather(environment, &text_of(dotenv)?)
    }

    /// The same, with the text of the file.
    ///
    /// # Errors
    /// [`SettingsError`], as above.
    pub(crate) fn gather(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        dotenv: &str,
    ) -> Result<Self, SettingsError> {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let lookup = |name: &str| environment.get(&OsString::from(name))?.to_str().map(str::to_owned);
        let file = dotenv::parse(dotenv, &lookup).map_err(|BrokenLine(line)| SettingsError::Line { line })?;
        let file = file.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let variables = environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
        let merged = Figment::new().merge(defaults()).merge(Layer::new(".env", file, |_, value| Ok(value))?).merge(
            Layer::new("environment", variables, |setting, value| {
                value.to_str().map(str::to_owned).ok_or_else(|| setting.bad(Fault("is not UTF-8")))
            })?,
        );
        Ok(Self { merged })
    }

    /// The value of a setting and its origin.
    pub(super) fn find(&self, setting: &Setting) -> Option<(String, &str)> {
        let value = self.merged.find_value(setting.name).ok()?;
        let origin = &self.merged.get_metadata(value.tag())?.name;
        Some((value.into_string()?, origin))
    }

    /// Whether nobody set it.
    pub(super) fn is_default(&self, setting: &Setting) -> bool {
        self.find(setting).is_none_or(|(_, origin)| origin == DEFAULT)
    }

    /// Reads a setting that may be absent. White space around the value does not count.
    pub(super) fn optional<T>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, SettingsError> {
        self.raw(setting, |value| read(value.trim()))
    }

    /// Reads a setting that must be there, by default at least.
    pub(super) fn required<T>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<T, SettingsError> {
        self.optional(setting, read)?.ok_or_else(|| setting.bad(Fault("is missing")))
    }

    /// Reads a setting that must be there, to the last blank.
    pub(super) fn required_raw<T>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<T, SettingsError> {
        self.raw(setting, read)?.ok_or_else(|| setting.bad(Fault("is missing")))
    }

    fn raw<T>(
        &self,
        setting: &Setting,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, SettingsError> {
        let Some((value, _)) = self.find(setting) else { return Ok(None) };
        if value.trim().is_empty() {
            return Err(setting.bad(Fault("is empty")));
        }
        read(&value).map(Some).map_err(|fault| setting.bad(fault))
    }
}

const DEFAULT: &str = "default";

/// The values of one origin, by the names of the settings; other names are left out.
struct Layer {
    origin: &'static str,
    values: Dict,
}

impl Layer {
    /// Takes variables in the order of their names, in which capitals come first.
    fn new<N: AsRef<str>, V>(
        origin: &'static str,
        variables: impl IntoIterator<Item = (N, V)>,
        text: impl Fn(&Setting, V) -> Result<String, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let mut values = Dict::new();
        for (name, value) in variables {
            let Some(setting) = setting(name.as_ref()) else { continue };
            if !values.contains_key(setting.name) {
                values.insert(setting.name.to_owned(), Value::from(text(setting, value)?));
            }
        }
        Ok(Self { origin, values })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn defaults() -> Layer {
    let settings = SETTINGS.into_iter().flatten();
    let values = settings.filter_map(|s| Some((s.name.to_owned(), Value::from(s.default?)))).collect();
    Layer { origin: DEFAULT, values }
}

fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.into_iter().flatten().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// The text of the file; nothing where there is none. Python passes over a folder of that name,
/// which some people keep a virtual environment in.
fn text_of(dotenv: &Path) -> Result<String, SettingsError> {
    if dotenv.is_dir() {
        return Ok(String::new());
    }
    match std::fs::read_to_string(dotenv) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| SettingsError::File(error.kind())),
    }
}
