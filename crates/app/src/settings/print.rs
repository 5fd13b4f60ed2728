//! The configuration as people may see it: `config print`.

use super::SETTINGS;
use super::sources::Sources;
use std::fmt::Write as _;

/// One line a setting, `NAME=value  # origin`. Secrets show their length, URLs no password.
pub(crate) fn render(sources: &Sources) -> String {
    let mut out = String::new();
    for setting in SETTINGS.into_iter().flatten() {
        let (value, origin) = match sources.find(setting) {
            Some((value, origin)) => ((setting.shown)(&value), origin),
            None => ("(not set)".to_owned(), "default"),
        };
        // Nobody has said that the value is valid: it may hold a line break.
        writeln!(out, "{}={}  # {origin}", setting.name, value.trim().replace(char::is_control, "?")).ok();
    }
    out
}
