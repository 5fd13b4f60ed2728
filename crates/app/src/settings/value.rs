//! Parsers of simple values: integers, booleans, titles and paths.

use super::setting::InvalidValue;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// Returns a parser of integers in a range.
pub(super) fn whole_number<T: FromStr + PartialOrd>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, InvalidValue> {
    move |text| {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidValue("is not a whole number"));
        }
        text.parse().ok().filter(|n| range.contains(n)).ok_or(InvalidValue("is out of range"))
    }
}

/// Values that [`parse_bool`] accepts, for error messages.
pub(super) const BOOL_VALUES: &str = "true, false, yes, no, y, n, t, f, on, off, 1, 0";

/// Parses a boolean in pydantic's spellings, case-insensitively.
pub(super) fn parse_bool(text: &str) -> Result<bool, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Ok(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Ok(false),
        _ => Err(InvalidValue("is neither true nor false")),
    }
}

/// Parses a title: one line of up to 100 characters.
pub(super) fn title(text: &str) -> Result<String, InvalidValue> {
    if text.chars().any(char::is_control) {
        return Err(InvalidValue("holds a control character"));
    }
    if text.chars().count() > 100 { Err(InvalidValue("is too long")) } else { Ok(text.to_owned()) }
}

/// Parses the path of a file or folder.
pub(super) fn path(text: &str) -> Result<PathBuf, InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue("has an empty path"));
    }
    if text.chars().any(char::is_control) {
        Err(InvalidValue("holds a control character"))
    } else {
        Ok(PathBuf::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_has_many_spellings() {
        for on in ["True", "true", "TRUE", "1", "yes", "On", "t", "y"] {
            assert!(matches!(parse_bool(on), Ok(true)), "{on}");
        }
        for off in ["False", "false", "0", "NO", "off", "f", "n"] {
            assert!(matches!(parse_bool(off), Ok(false)), "{off}");
        }
        for neither in ["2", "maybe", "truee", "''"] {
            assert!(parse_bool(neither).is_err(), "{neither}");
        }
    }
}
