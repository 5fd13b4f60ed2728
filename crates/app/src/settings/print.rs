//! The configuration for display in `config print`, with secrets masked.

use super::Settings;
use super::family;
use super::setting::{Setting, SettingsError};
use super::sources;
use super::sources::Sources;
use std::fmt::Write as _;

/// A setting for display.
pub(crate) struct PrintedSetting {
    pub(crate) name: String,
    /// Secrets as their length, URLs without passwords. `None` if not set.
    pub(crate) value: Option<String>,
    pub(crate) origin: String,
}

/// Lists all settings for display.
pub(crate) fn printed(sources: &Sources) -> impl Iterator<Item = PrintedSetting> {
    sources.names().into_iter().filter_map(|name| Some(print(sources, &sources::setting(&name)?)))
}

fn print(sources: &Sources, setting: &Setting) -> PrintedSetting {
    let name = setting.name.to_owned();
    match sources.find(setting) {
        Some((value, origin)) => {
            let shown = (setting.display)(&value);
            // An invalid value is hidden completely: a password may be anywhere in it.
            let shown = if shown == value && !sources.is_default(setting) && is_refused(sources, setting) {
                REFUSED.to_owned()
            } else {
                shown
            };
            let value = shown.trim().replace(char::is_control, "?");
            PrintedSetting { name, value: Some(value), origin: origin.to_owned() }
        }
        None => PrintedSetting { name, value: None, origin: "default".to_owned() },
    }
}

/// Text displayed instead of an invalid value.
const REFUSED: &str = "(refused)";

/// Returns whether the value of a setting is invalid, both on its own and together with the current `DEBUG`; of
/// a provider's setting, together with the provider's kind.
fn is_refused(sources: &Sources, setting: &Setting) -> bool {
    let of_provider = family::context(setting.name);
    let contexts = match setting.name {
        // ALGORITHM decides whether the file is read.
        "PRIVATE_KEY_FILE" => vec![vec!["ALGORITHM".to_owned()]],
        // The domain must cover the host of PUBLIC_URL.
        "COOKIE_DOMAIN" => vec![vec!["PUBLIC_URL".to_owned()]],
        _ if !of_provider.is_empty() => vec![of_provider],
        _ => vec![Vec::new(), vec!["DEBUG".to_owned()]],
    };
    let passes = |context: &Vec<String>| match Settings::read(&sources.only(setting.name, context)) {
        Ok(_) => true,
        Err(SettingsError::Bad { name, .. }) => name != setting.name && !context.contains(&name),
        Err(_) => false,
    };
    !contexts.iter().any(passes)
}

/// Formats all settings, one per line, as `NAME=value  # origin`.
pub fn render(sources: &Sources) -> String {
    let mut out = String::new();
    for PrintedSetting { name, value, origin } in printed(sources) {
        writeln!(out, "{name}={}  # {origin}", value.as_deref().unwrap_or("(not set)")).ok();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;

    fn printed(environment: &[(&str, &str)]) -> String {
        render(&Sources::of(environment))
    }

    #[test]
    fn nothing_of_a_refused_value_is_shown() {
        let values = [
            "marker\u{1b}",
            "x\nmarker",
            "https://user:marker@collector.example/v1?key=marker\r\u{e9}",
            "-----BEGIN PRIVATE KEY-----\nmarker",
        ];
        // Unknown values of these two count as unset.
        let ignored = ["OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"];
        let shown = |setting: &&Setting| !setting.is_secret() && !ignored.contains(&setting.name);
        for setting in SETTINGS.into_iter().flatten().filter(shown) {
            for value in values {
                let printed = printed(&[(setting.name, value)]);
                assert!(!printed.contains("marker"), "{printed}");
                let line = format!("{}=(refused)  # environment", setting.name);
                assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
            }
        }
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:marker@h"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:marker@h"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=marker"),
            ("CORS_ORIGINS", "https://a.example,https://u:marker@b.example"),
            ("PUBLIC_URL", "https://u:marker@a.example"),
            ("VERIFY_URL", "https://u:marker@a.example/{token}"),
            ("METRICS_ADDR", "marker@127.0.0.1:1"),
            ("TRUSTED_PROXIES", "10.0.0.1,marker"),
            ("HOST", "u:marker@h"),
            ("PORT", "marker"),
            ("SMTP_URL", "smtp://u:marker@h:x"),
            ("REDIS_URL", "redis://u:marker@h:x"),
            ("DATABASE_URL", "postgres://u:marker@marker@h/d"),
        ] {
            let all = [("DEBUG", "marker"), ("ALGORITHM", "marker"), (name, value)];
            assert!(!printed(&all).contains("marker"), "{name}={value}");
        }
        let key = printed(&[("ALGORITHM", "ES256"), ("PRIVATE_KEY_FILE", "marker")]);
        assert!(!key.contains("marker"), "{key}");
    }

    #[test]
    fn what_is_right_is_shown_also_beside_what_is_not() {
        for (environment, line) in [
            (vec![("PORT", "9"), ("HOST", "a b")], "PORT=9  # environment"),
            (vec![("BCRYPT_COST", "4"), ("DEBUG", "true")], "BCRYPT_COST=4  # environment"),
            (vec![("BCRYPT_COST", "4")], "BCRYPT_COST=(refused)  # environment"),
            (vec![("ALGORITHM", "RS256")], "ALGORITHM=RS256  # environment"),
            (vec![("PRIVATE_KEY_FILE", "key.pem")], "PRIVATE_KEY_FILE=key.pem  # environment"),
            (vec![("SMTP_URL", "smtp://h")], "SMTP_URL=smtp://h:587  # environment"),
            (vec![("PUBLIC_URL", "https://a.example")], "PUBLIC_URL=https://a.example  # environment"),
            (
                vec![("COOKIE_DOMAIN", "b.example"), ("PUBLIC_URL", "https://a.b.example")],
                "COOKIE_DOMAIN=b.example  # environment",
            ),
            (vec![("COOKIE_DOMAIN", "b.example")], "COOKIE_DOMAIN=(refused)  # environment"),
        ] {
            let printed = printed(&environment);
            assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
        }
    }
}
