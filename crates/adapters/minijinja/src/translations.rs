//! Texts of a language: parsing, and the list of required texts.

use crate::source::{TemplatesError, built_in_words, words_file};
use portcullis_domain::mail::{Language, Occasion};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// Section of the texts that all emails use.
pub(crate) const COMMON: &str = "common";
const COMMON_KEYS: [&str; 15] = [
    "sender",
    "copy",
    "time",
    "address",
    "agent",
    "app_on",
    "unknown_app",
    "detail",
    "validity",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
];
const KEYS: [&str; 4] = ["subject", "heading", "intro", "warning"];
const LINK_KEYS: [&str; 2] = ["action", "button"];

/// Texts of a language by section and key. Each is a template.
pub(crate) struct Translations(BTreeMap<(&'static str, &'static str), String>);

impl Translations {
    /// Reads the built-in texts. An operator's file replaces some of them.
    pub(crate) fn read(language: Language, own: Option<&String>) -> Result<Self, TemplatesError> {
        let file = words_file(language);
        let mut words = Self(BTreeMap::new());
        words.take(built_in_words(language)).map_err(|error| TemplatesError::of(&file, error))?;
        if let Some((section, key)) = wanted().find(|place| !words.0.contains_key(place)) {
            return Err(TemplatesError::of(&file, format!("[{section}] has no {key}")));
        }
        if let Some(own) = own {
            words.take(own).map_err(|error| TemplatesError::of(&file, error))?;
        }
        Ok(words)
    }

    /// Returns a text. Every language has all of them.
    pub(crate) fn get(&self, section: &'static str, key: &'static str) -> &str {
        self.0.get(&(section, key)).map(String::as_str).unwrap_or_default()
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count().saturating_add(1);
        let table = DeTable::parse(text).map_err(|error| {
            format!("line {} cannot be read", line(error.span().map_or(text.len(), |span| span.start)))
        })?;
        for (section, values) in table.get_ref() {
            let name = section.get_ref().as_ref();
            let DeValue::Table(values) = values.get_ref() else { return Err(format!("{name} is no section")) };
            for (key, value) in values {
                let (key, place) = (key.get_ref().as_ref(), line(key.span().start));
                let known = wanted().find(|(section, wanted)| *section == name && *wanted == key);
                let known = known.ok_or_else(|| format!("line {place}: there is no {key} in [{name}]"))?;
                let DeValue::String(value) = value.get_ref() else {
                    return Err(format!("line {place}: {key} is no text"));
                };
                self.0.insert(known, value.as_ref().to_owned());
            }
        }
        Ok(())
    }
}

/// Lists the section and key of every required text.
fn wanted() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_occasion = |occasion: Occasion| {
        let links = LINK_KEYS.into_iter().filter(move |_| occasion.purpose().is_some());
        KEYS.into_iter().chain(links).map(move |key| (occasion.as_str(), key))
    };
    COMMON_KEYS.into_iter().map(|key| (COMMON, key)).chain(Occasion::ALL.into_iter().flat_map(of_occasion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_words_for_everything() {
        for language in Language::ALL {
            let words = Translations::read(language, None).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(words.0.len(), 15 + 8 * 4 + 4 * 2);
            assert!(words.0.values().all(|word| !word.is_empty()), "{language:?}");
        }
    }

    #[test]
    fn a_file_of_ones_own_replaces_what_it_names() {
        let own = "[common]\ncopy = 'C'\n[new_device]\nsubject = 'S'".to_owned();
        let words = Translations::read(Language::German, Some(&own)).ok().unwrap();
        assert_eq!((words.get("new_device", "subject"), words.get("common", "copy")), ("S", "C"));
        assert_eq!(words.get("new_device", "heading"), "Neue Anmeldung");
    }

    #[test]
    fn what_a_file_cannot_say_is_told_by_its_line() {
        for (own, told) in [
            ("[common]\nsubject = 'S'", "de.toml: line 2: there is no subject in [common]"),
            ("[welcome]\nsubject = 'S'", "de.toml: line 2: there is no subject in [welcome]"),
            ("[new_device]\nbutton = 'S'", "de.toml: line 2: there is no button in [new_device]"),
            ("[common]\n\ncopy = 1", "de.toml: line 3: copy is no text"),
            ("subject = 'S'", "de.toml: subject is no section"),
            ("[common]\ncopy = 'x", "de.toml: line 2 cannot be read"),
        ] {
            let error = Translations::read(Language::German, Some(&own.to_owned())).err().unwrap();
            assert_eq!(error.to_string(), told);
        }
    }
}
