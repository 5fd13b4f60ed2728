//! The configuration as people may see it: `config print`.

use super::SETTINGS;
use super::sources::Sources;
use std::fmt::Write as _;

/// A setting as people may see it.
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    /// Secrets show their length, URLs no password.
    pub(crate) value: Option<String>,
    pub(crate) origin: String,
}

/// Every setting.
pub(crate) fn shown(sources: &Sources) -> impl Iterator<Item = Shown> {
    SETTINGS.into_iter().flatten().map(|setting| match sources.find(setting) {
        Some((value, origin)) => {
            // Nobody has said that the value is valid: it may hold a line break.
            let value = (setting.shown)(&value).trim().replace(char::is_control, "?");
            Shown { name: setting.name, value: Some(value), origin: origin.to_owned() }
        }
        None => Shown { name: setting.name, value: None, origin: "default".to_owned() },
    })
}

/// One line a setting, `NAME=value  # origin`.
pub(crate) fn render(sources: &Sources) -> String {
    let mut out = String::new();
    for Shown { name, value, origin } in shown(sources) {
        writeln!(out, "{name}={}  # {origin}", value.as_deref().unwrap_or("(not set)")).ok();
    }
    out
}
