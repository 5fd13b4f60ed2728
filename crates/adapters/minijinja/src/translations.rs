//! Texts of a language, for emails and pages. The built-in files list the texts that exist.

use crate::source::{TemplatesError, built_in, words_file};
use portcullis_domain::mail::Language;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// Section of the texts that all emails use.
pub(crate) const COMMON: &str = "common";
/// Start of the sections of the pages.
const PAGES: &str = "pages.";

/// Texts by section and key. Each is a template.
pub(crate) struct Translations(BTreeMap<String, BTreeMap<String, String>>);

/// A text of a file, and the byte where its key starts.
struct Text {
    section: String,
    key: String,
    value: String,
    start: usize,
}

impl Translations {
    /// Reads the built-in texts. An operator's file replaces some of them.
    pub(crate) fn read(language: Language, own: Option<&String>) -> Result<Self, TemplatesError> {
        let file = words_file(language);
        let texts = |source| texts(source).map_err(|error| TemplatesError::of(&file, error));
        let mut words = BTreeMap::<_, BTreeMap<_, _>>::new();
        for text in texts(built_in(&file))? {
            words.entry(text.section).or_default().insert(text.key, text.value);
        }
        let Some(own) = own else { return Ok(Self(words)) };
        for Text { section, key, value, start } in texts(own)? {
            let place = words.get_mut(&section).and_then(|section| section.get_mut(&key));
            let unknown = || format!("line {}: there is no {key} in [{section}]", line(own, start));
            *place.ok_or_else(|| TemplatesError::of(&file, unknown()))? = value;
        }
        Ok(Self(words))
    }

    /// Returns a text, or an empty one for an email that does not need it.
    pub(crate) fn get(&self, section: &str, key: &str) -> &str {
        self.0.get(section).and_then(|section| section.get(key)).map(String::as_str).unwrap_or_default()
    }

    /// Lists the sections of the pages, each with the end of its name.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.0.iter().filter_map(|(section, texts)| Some((section.strip_prefix(PAGES)?, texts)))
    }
}

fn texts(source: &str) -> Result<Vec<Text>, String> {
    let table = DeTable::parse(source).map_err(|error| {
        format!("line {} cannot be read", line(source, error.span().map_or(source.len(), |span| span.start)))
    })?;
    let mut out = Vec::new();
    collect(table.get_ref(), "", &|start| line(source, start), &mut out)?;
    Ok(out)
}

/// Returns the number of the line that holds this byte.
fn line(source: &str, at: usize) -> usize {
    source.get(..at).unwrap_or(source).matches('\n').count().saturating_add(1)
}

fn collect(
    table: &DeTable<'_>,
    section: &str,
    line: &impl Fn(usize) -> usize,
    out: &mut Vec<Text>,
) -> Result<(), String> {
    for (key, value) in table {
        let (key, start) = (key.get_ref().as_ref(), key.span().start);
        match value.get_ref() {
            DeValue::Table(inner) if section.is_empty() => collect(inner, key, line, out)?,
            DeValue::Table(inner) => collect(inner, &format!("{section}.{key}"), line, out)?,
            _ if section.is_empty() => return Err(format!("{key} is no section")),
            DeValue::String(value) => out.push(Text {
                section: section.to_owned(),
                key: key.to_owned(),
                value: value.as_ref().to_owned(),
                start,
            }),
            _ => return Err(format!("line {}: {key} is no text", line(start))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::mail::Occasion;
    use std::collections::BTreeSet;

    fn words(language: Language) -> Translations {
        Translations::read(language, None).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_language_says_everything_in_its_own_words() {
        let places = |words: &Translations| -> Vec<(String, String)> {
            let keys = |(section, texts): (&String, &BTreeMap<String, String>)| {
                texts.keys().map(|key| (section.clone(), key.clone())).collect::<Vec<_>>()
            };
            words.0.iter().flat_map(keys).collect()
        };
        let (wanted, mut seen) = (places(&words(Language::English)), BTreeSet::new());
        for language in Language::ALL {
            let words = words(language);
            assert_eq!(places(&words), wanted, "{language:?}");
            let all: BTreeSet<_> = words.0.into_values().flat_map(BTreeMap::into_values).collect();
            for text in all {
                assert!(!text.trim().is_empty() && !text.contains(['<', '>', '&']), "{language:?}: {text:?}");
                // A forgotten text would still be a copy of another language's.
                assert!(text.chars().count() <= 24 || seen.insert(text.clone()), "{language:?}: {text}");
            }
        }
    }

    #[test]
    fn every_email_has_its_texts() {
        let words = words(Language::English);
        for occasion in Occasion::ALL {
            for key in ["subject", "heading", "intro", "warning"] {
                assert!(!words.get(occasion.as_str(), key).is_empty(), "{occasion:?} {key}");
            }
            for key in ["action", "button"] {
                assert_eq!(words.get(occasion.as_str(), key).is_empty(), occasion.purpose().is_none(), "{occasion:?}");
            }
        }
    }

    #[test]
    fn a_file_of_ones_own_replaces_what_it_names() {
        let own = "[common]\ncopy = 'C'\n[new_device]\nsubject = 'S'\n[pages.home]\ntitle = 'T'".to_owned();
        let words = Translations::read(Language::German, Some(&own)).ok().unwrap();
        assert_eq!((words.get("new_device", "subject"), words.get("common", "copy")), ("S", "C"));
        assert_eq!((words.get("new_device", "heading"), words.get("pages.home", "title")), ("Neue Anmeldung", "T"));
    }

    #[test]
    fn what_a_file_cannot_say_is_told_by_its_line() {
        for (own, told) in [
            ("[common]\nsubject = 'S'", "de.toml: line 2: there is no subject in [common]"),
            ("[welcome]\nsubject = 'S'", "de.toml: line 2: there is no subject in [welcome]"),
            ("[new_device]\nbutton = 'S'", "de.toml: line 2: there is no button in [new_device]"),
            ("[pages.home]\nbutton = 'S'", "de.toml: line 2: there is no button in [pages.home]"),
            ("[common]\n\ncopy = 1", "de.toml: line 3: copy is no text"),
            ("subject = 'S'", "de.toml: subject is no section"),
            ("[common]\ncopy = 'x", "de.toml: line 2 cannot be read"),
        ] {
            let error = Translations::read(Language::German, Some(&own.to_owned())).err().unwrap();
            assert_eq!(error.to_string(), told);
        }
    }
}
