//! Sources of templates: the built-in files, and a folder whose files replace them by name.

use portcullis_domain::mail::Language;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

/// File names of the layouts.
pub(crate) const TEXT: &str = "mail.txt";
pub(crate) const HTML: &str = "mail.html";

/// Error for a template that cannot be used: its name and the reason, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatesError(pub(crate) String);

impl std::error::Error for TemplatesError {}

impl fmt::Display for TemplatesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace(char::is_control, " "))
    }
}

impl TemplatesError {
    pub(crate) fn of(file: &str, error: impl fmt::Display) -> Self {
        Self(format!("{file}: {error}"))
    }
}

/// Returns a built-in layout.
pub(crate) fn built_in_layout(file: &str) -> &'static str {
    if file == HTML { include_str!("../templates/mail.html") } else { include_str!("../templates/mail.txt") }
}

/// Returns the built-in texts of a language.
pub(crate) fn built_in_words(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("../templates/en.toml"),
        Language::German => include_str!("../templates/de.toml"),
        Language::French => include_str!("../templates/fr.toml"),
        Language::Spanish => include_str!("../templates/es.toml"),
        Language::Portuguese => include_str!("../templates/pt.toml"),
        Language::Chinese => include_str!("../templates/zh.toml"),
    }
}

/// Returns the file name of a language's texts.
pub(crate) fn words_file(language: Language) -> String {
    format!("{}.toml", language.tag())
}

/// Reads the templates in an operator's folder, by file name. Another file with a template's extension
/// is an error, since it is probably misnamed.
pub(crate) fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, TemplatesError> {
    let known: Vec<_> = [TEXT.to_owned(), HTML.to_owned()].into_iter().chain(Language::ALL.map(words_file)).collect();
    let unreadable = |error: std::io::Error| TemplatesError(format!("cannot be read ({})", error.kind()));
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if known.contains(&name) {
            let text = fs::read_to_string(&path).map_err(|error| TemplatesError::of(&name, error.kind()))?;
            files.insert(name, text);
        } else if !name.starts_with('.') && [".txt", ".html", ".toml"].iter().any(|end| name.ends_with(end)) {
            return Err(TemplatesError::of(&name, format!("is no template; there are {}", known.join(", "))));
        }
    }
    Ok(files)
}
