//! The file `portcullis.toml`: settings by their lower-case names. An unknown name is an error, because a
//! misspelt setting that has no effect may be a security setting.

use super::family;
use super::setting::SettingsError;
use super::sources::{known, known_names};
use toml::{Table, Value};

/// Minimum Jaro-Winkler similarity (0 to 1) of a suggested name.
const ALIKE: f64 = 0.8;

/// Parses the file. Returns settings by their upper-case names.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    // The library's error message contains the line, which may hold a secret.
    let table: Table = text.parse().map_err(|error| SettingsError::TomlLine { line: line_of(text, &error) })?;
    table.into_iter().map(|(name, value)| read(&name, value)).collect()
}

fn read(name: &str, value: Value) -> Result<(String, String), SettingsError> {
    let upper = name.to_ascii_uppercase();
    if known(&upper).is_none() || name != upper.to_ascii_lowercase() {
        return Err(unknown(name, &[known_names(), family::candidates(&upper)].concat()));
    }
    let text = match value {
        Value::String(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Boolean(switch) => switch.to_string(),
        _ => return Err(SettingsError::TomlValue { name: shown(name) }),
    };
    Ok((upper, text))
}

fn unknown(name: &str, known: &[String]) -> SettingsError {
    let lower = name.to_ascii_lowercase();
    let likeness = |candidate: &String| strsim::jaro_winkler(&lower, candidate);
    let nearest =
        known.iter().map(|known| known.to_ascii_lowercase()).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    SettingsError::Unknown { name: shown(name), nearest: nearest.filter(|nearest| likeness(nearest) > ALIKE) }
}

/// Returns a name for display: one line of up to 64 characters.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).err().unwrap_or_else(|| panic!("{text}")).to_string()
    }

    #[test]
    fn settings_are_texts_whole_numbers_and_switches() {
        let read =
            parse("port = 9\napp_name = 'Gatehouse' # a comment\ndebug = true\nsecret_key_file = \"/run/key\"\n");
        let expected = [("APP_NAME", "Gatehouse"), ("DEBUG", "true"), ("PORT", "9"), ("SECRET_KEY_FILE", "/run/key")];
        assert_eq!(read.ok().unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for bad in ["port = 1.5", "port = [1]", "port = 2026-01-01", "[port]\nx = 1"] {
            assert!(refused(bad).starts_with("portcullis.toml: port has an invalid type"), "{bad}");
        }
    }

    #[test]
    fn an_unknown_setting_is_named_with_the_nearest() {
        assert!(refused("prot = 1").starts_with("portcullis.toml: prot is not a setting; did you mean port?"));
        assert!(refused("SECRET_KEY = 'marker'").contains("did you mean secret_key?"));
        assert!(refused("secret_ky = 'marker'").contains("did you mean secret_key?"));
        assert!(refused("port_file = '/x'").starts_with("portcullis.toml: port_file is not a setting"), "no secret");
        let far = refused("\"zzz\\nzz\" = 'marker'");
        assert!(far.starts_with("portcullis.toml: zzz?zz is not a setting; accepted: "), "{far}");
    }

    #[test]
    fn a_broken_line_is_named_by_its_number_alone() {
        for text in ["port = 1\nsecret_key = 'marker\n", "port = 1\nport = 'marker'", "\nmarker"] {
            let line = refused(text);
            assert!(line.starts_with("portcullis.toml: line 2 cannot be read") && !line.contains("marker"), "{line}");
        }
    }
}
