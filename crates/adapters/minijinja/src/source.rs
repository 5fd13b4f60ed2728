//! Sources of templates: the built-in files, and a folder whose files replace them by name.

use portcullis_domain::mail::Language;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs};

/// File names of the email layouts.
pub(crate) const TEXT: &str = "mail.txt";
pub(crate) const HTML: &str = "mail.html";
/// Folder of the page templates.
const PAGES: &str = "pages";

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

/// Built-in files by name.
const BUILT_IN: &[(&str, &str)] = files![
    "mail.txt",
    "mail.html",
    "en.toml",
    "de.toml",
    "fr.toml",
    "es.toml",
    "pt.toml",
    "zh.toml",
    "pages/layout.html",
    "pages/macros.html",
    "pages/home.html",
    "pages/confirm.html",
    "pages/confirmed.html",
    "pages/request_email.html",
    "pages/email_sent.html",
    "pages/expired_link.html",
    "pages/new_password.html",
    "pages/password_changed.html",
    "pages/api_viewer.html",
    "pages/sign_in_failed.html",
    "pages/link_identity.html",
    "pages/continue.html",
    "pages/login.html",
    "pages/failed.html",
    "pages/security.html",
    "pages/password.html",
    "pages/authenticator.html",
    "pages/authenticator_setup.html",
    "pages/passkey.html",
    "pages/recovery_codes.html",
    "pages/new_recovery_codes.html",
    "pages/identities.html",
    "pages/sessions.html",
    "pages/email.html",
    "pages/delete.html",
    "pages/deleted.html",
    "pages/continue_as.html",
    "pages/second_factor.html",
    "pages/enrol.html",
    "pages/enrol_code.html",
    "pages/sign_in_codes.html",
    "pages/register.html",
    "pages/check_inbox.html",
    "pages/reauthenticate.html",
    "pages/account.html",
    "pages/logout.html",
    "pages/logged_out.html",
    "pages/continue_to_app.html",
    "pages/returning.html",
];

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

/// Lists the names of the built-in templates, without the texts.
pub(crate) fn templates() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).filter(|name| !name.ends_with(".toml"))
}

/// Returns a built-in file.
pub(crate) fn built_in(file: &str) -> &'static str {
    BUILT_IN.iter().find(|(name, _)| *name == file).map(|(_, text)| *text).unwrap_or_default()
}

/// Returns the file name of a language's texts.
pub(crate) fn words_file(language: Language) -> String {
    format!("{}.toml", language.tag())
}

/// Returns the file name of a page's template.
pub(crate) fn page_file(page: &str) -> String {
    format!("{PAGES}/{page}.html")
}

/// Reads the templates in an operator's folder, by file name. Another file with a template's extension
/// is an error, since it is probably misnamed.
pub(crate) fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, TemplatesError> {
    let mut files = BTreeMap::new();
    read_into(&mut files, folder, "")?;
    let pages = folder.join(PAGES);
    if pages.exists() {
        read_into(&mut files, &pages, "pages/")?;
    }
    Ok(files)
}

fn read_into(files: &mut BTreeMap<String, String>, folder: &Path, prefix: &str) -> Result<(), TemplatesError> {
    let unreadable = |error: std::io::Error| TemplatesError(format!("{prefix}cannot be read ({})", error.kind()));
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{prefix}{file}");
        if BUILT_IN.iter().any(|(known, _)| *known == name) {
            let text = fs::read_to_string(&path).map_err(|error| TemplatesError::of(&name, error.kind()))?;
            files.insert(name, text);
        } else if !file.starts_with('.') && [".txt", ".html", ".toml"].iter().any(|end| file.ends_with(end)) {
            let known = BUILT_IN.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
            return Err(TemplatesError::of(&name, format!("is no template; there are {known}")));
        }
    }
    Ok(())
}
